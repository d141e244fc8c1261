"""The whole recipe on a model that is smaller still."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel

from recipes.pocket import control_evaluation, control_training, sampling, unet_training
from recipes.pocket.architecture import Sizes
from recipes.pocket.run_folder import RunFolder, read, write
from recipes.pocket.scenes import concepts
from recipes.pocket.stages import Recipe
from recipes.pocket.training import Plan

TINY = Sizes(vae=(8, 8, 8, 8), unet=(16, 16, 16), text=16, text_layers=2, text_2=16, text_2_layers=2, head=16)
SHORT = Plan(steps=2, batch=4, rate=1e-3, warmup=1)
SAVED_OFTEN = Plan(steps=3, batch=4, rate=1e-3, warmup=1, save_seconds=-1)


class Killed(Exception):
    """The process ends here."""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(unet_training, "SHOWN", ["ant"])
    monkeypatch.setattr(sampling, "STEPS", 2)
    monkeypatch.setattr(control_evaluation, "STEPS", 2)
    monkeypatch.setattr(control_evaluation, "PAIRS", 2)
    folder = RunFolder(root=tmp_path / "run")
    generator = torch.Generator().manual_seed(0)
    write(torch.randint(256, (4, 3, 4, 128, 128), dtype=torch.uint8, generator=generator), folder.sprites)
    torch.manual_seed(0)
    return Recipe(
        folder=folder,
        concepts=concepts()[:4],
        shipped=tmp_path / "pocket",
        shipped_judge=tmp_path / "judge.safetensors",
        figures_file=tmp_path / "figures.json",
        samples_file=tmp_path / "samples.png",
        sizes=TINY,
        text_plan=SHORT,
        crops_plan=SHORT,
        whole_plan=SHORT,
        decoder_plan=SHORT,
        unet_plan=SAVED_OFTEN,
        control_plan=SHORT,
        control_figures_file=tmp_path / "control.json",
    )


def train_unet(recipe: Recipe) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    recipe.unet()
    weights: dict[str, torch.Tensor] = read(recipe.folder.finished("unet"))
    return weights


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_recipe_runs_resumes_exactly_and_starts_again_from_what_it_shipped(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All stages, a kill in the middle of the UNet's training, and a run folder that got lost."""
    recipe.data()
    recipe.text()
    recipe.vae()
    recipe.latents()
    straight = train_unet(recipe)

    recipe.folder.finished("unet").unlink()
    recipe.folder.checkpoint("unet").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(unet_training, "loss", _killed_at_second_call(unet_training.loss))
        with pytest.raises(Killed):
            train_unet(recipe)
    resumed = train_unet(recipe)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)

    recipe.decoder()
    recipe.judge()
    recipe.export()
    recipe.control()
    recipe.evaluate_control()
    assert json.loads(recipe.control_figures_file.read_text())["pairs"] == 2
    assert ControlNetModel.from_pretrained(recipe.shipped / "controls" / control_training.FOLDER)
    lost = RunFolder(root=recipe.folder.root.with_name("lost"))
    again = Recipe(
        folder=lost, concepts=recipe.concepts, shipped=recipe.shipped, shipped_judge=recipe.shipped_judge, sizes=TINY
    )
    again.adopt()
    start = read(lost.start)
    assert all(torch.allclose(start[name], resumed[name], atol=1e-3) for name in resumed)


def _killed_at_second_call(loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    calls = []

    def killed(*arguments: object) -> torch.Tensor:
        calls.append(arguments)
        if len(calls) == 2:
            raise Killed
        return loss(*arguments)

    return killed
