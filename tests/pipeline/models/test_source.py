"""What LIMNER_MODEL can say, where a missing model is to be had, and what a pull takes."""

from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from pipeline.errors import UserError
from pipeline.models.source import ModelSource, SourceKind, stored_models
from tests.pipeline.models.published import SDXL, save_configs


@pytest.mark.parametrize(
    ("text", "kind", "location", "revision", "name"),
    [
        ("pocket", SourceKind.EMBEDDED, "pocket", None, "pocket"),
        (" /models/my-xl ", SourceKind.FOLDER, "/models/my-xl", None, "my-xl"),
        ("./juggernaut.safetensors", SourceKind.CHECKPOINT, "juggernaut.safetensors", None, "juggernaut"),
        ("org/model.v1", SourceKind.HUB, "org/model.v1", None, "org/model.v1"),
        ("org/model@refs/pr/1", SourceKind.HUB, "org/model", "refs/pr/1", "org/model"),
    ],
)
def test_a_text_means_one_of_four_places(
    text: str, kind: SourceKind, location: str, revision: str | None, name: str
) -> None:
    """And turns back into itself."""
    source = ModelSource.parse(text)

    assert source == ModelSource(kind=kind, location=location, revision=revision)
    assert source.name == name
    assert ModelSource.parse(str(source)) == source


@pytest.mark.parametrize(
    ("text", "sentence"), [("", "not known"), ("what?", "not known"), ("a.ckpt", "a pickle, which can run code")]
)
def test_a_text_that_means_nothing_is_one_sentence(text: str, sentence: str) -> None:
    """With what to use instead."""
    with pytest.raises(UserError, match=sentence):
        ModelSource.parse(text)


def test_a_missing_model_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the path, or pull it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="check LIMNER_MODEL"):
        ModelSource.parse(str(tmp_path / "none")).facts()
    with pytest.raises(UserError, match="run: limner models pull org/model@main"):
        ModelSource.parse("org/model@main").facts()


def test_pull_takes_what_serving_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pickles, half precision where there is a choice, and the commit that the name meant."""
    files = [
        "model_index.json",
        "sd_xl_base_1.0.safetensors",
        "unet/config.json",
        "unet/model.fp16.safetensors",
        "unet/model.safetensors",
        "unet/model.bin",
        "vae/config.json",
        "vae/model.safetensors",
        "tokenizer/merges.txt",
    ]
    asked: dict[str, object] = {}

    def download(repository: str, **options: object) -> str:
        asked.update(options, repository=repository)
        return str(save_configs(SDXL, tmp_path))

    info = SimpleNamespace(sha="abc", siblings=[SimpleNamespace(rfilename=name) for name in files])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    assert ModelSource.parse("org/model@main").pull() == tmp_path
    assert asked["revision"] == "abc"
    assert asked["allow_patterns"] == [
        "model_index.json",
        "unet/model.fp16.safetensors",
        "unet/config.json",
        "vae/model.safetensors",
        "vae/config.json",
        "tokenizer/merges.txt",
    ]


def test_what_would_be_refused_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its configs tell, a thousandth of its weights."""
    files = [SimpleNamespace(rfilename=name) for name in ("model_index.json", "unet/model.safetensors")]
    asked: list[object] = []

    def download(_: str, *, allow_patterns: list[str], **__: object) -> str:
        asked.append(allow_patterns)
        return str(save_configs(SDXL.but(unet={"in_channels": 9}), tmp_path))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: SimpleNamespace(sha="a", siblings=files))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    with pytest.raises(UserError, match="draws inside pictures only"):
        ModelSource.parse("org/model").pull()
    assert asked == [["model_index.json"]]


def test_the_embedded_model_is_always_stored() -> None:
    """Also where the Hub's cache does not exist."""
    assert str(stored_models()[0].source) == "pocket"
