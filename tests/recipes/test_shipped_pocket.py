"""The weights that ship."""

from pathlib import Path

import pytest
import torch

from recipes.pocket.evaluation import asked_scenes, prompts
from recipes.pocket.export import SHIPPED, load
from recipes.pocket.judge import WEIGHTS, load_judge
from recipes.pocket.sampling import render
from recipes.pocket.scenes import concepts


def test_shipped_folder_is_small_and_carries_its_licences() -> None:
    """Under 40 MB for the model, under 55 MB with its ControlNet and its LoRA."""
    sizes = {path.relative_to(SHIPPED): path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()}
    assert sum(size for path, size in sizes.items() if path.parts[0] not in {"controls", "loras"}) < 40e6
    assert sum(sizes.values()) < 55e6
    assert {"README.md", "LICENSES.md"} <= {path.name for path in SHIPPED.iterdir()}


def test_shipped_files_name_no_machine() -> None:
    """Nothing tells where the weights were made."""
    for config in SHIPPED.rglob("*.json"):
        assert "_name_or_path" not in config.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_shipped_model_draws_what_the_judge_recognises() -> None:
    """Of a few unseen combinations most come out in the style and on the background asked for."""
    torch.manual_seed(0)
    asked = asked_scenes(len(concepts()))[:4]

    verdict = load_judge()(render(load(SHIPPED), prompts(asked, concepts()), seed=0))

    assert (verdict.background.argmax(dim=1) == torch.tensor([scene.background for scene in asked])).sum() >= 3


def test_judge_is_small_and_gives_embeddings_of_length_one() -> None:
    """The judge that other measurements build on."""
    verdict = load_judge()(torch.zeros(2, 3, 128, 128))

    assert Path(WEIGHTS).stat().st_size < 5e6
    assert torch.allclose(verdict.embedding.norm(dim=1), torch.ones(2), atol=1e-3)
