"""The models of annotators: pulled at their pinned commits, as safetensors alone."""

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from pipeline.control.annotator_models import MODELS
from pipeline.control.annotators import ANNOTATORS
from pipeline.requests.control import ControlKind

LEARNED = sorted(MODELS)


def test_every_kind_has_one_way_to_its_map() -> None:
    """By arithmetic or by models."""
    assert set(ANNOTATORS) | set(MODELS) == set(ControlKind)
    assert not set(ANNOTATORS) & set(MODELS)


@pytest.mark.parametrize("kind", LEARNED)
def test_pull_takes_the_pinned_commit_and_safetensors_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: ControlKind
) -> None:
    """Of each model that the kind needs."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def download(repository: str, **options: Any) -> str:
        asked.append((repository, options))
        return str(tmp_path / repository)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    result = CliRunner().invoke(app, ["models", "pull", f"control-{kind}"])

    assert result.exit_code == 0
    assert result.output.split() == [str(tmp_path / model.repository) for model in MODELS[kind]]
    assert asked == [
        (model.repository, {"revision": model.revision, "allow_patterns": ["config.json", "model.safetensors"]})
        for model in MODELS[kind]
    ]
    assert all(len(options["revision"]) == 40 for _, options in asked)


def test_a_pull_without_a_network_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""

    def download(*_: object, **__: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    result = CliRunner().invoke(app, ["models", "pull", "control-depth"])

    assert result.exit_code == 1
    assert "could not be downloaded (OSError); try again" in result.output
