"""A whole training on tiny models with real architectures: it learns, goes on exactly, stops and reports."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.format.file import LoraFile
from pipeline.training.config import Method, OptimizerKind, Preservation
from pipeline.training.early_stopping import EarlyStopping
from pipeline.training.examples import image_examples
from pipeline.training.model import open_model
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingImage, TrainingRequest
from pipeline.training.trainer import train

An = Callable[..., TrainingRequest]


def done(order: TrainingRequest, enough_at: int | None = None) -> tuple[list[TrainingProgress], TrainingReport]:
    """All that a training says."""
    said: list[TrainingProgress] = []
    training = train(order)
    try:
        said.append(next(training))
        while True:
            said.append(training.send(said[-1].step == enough_at))
    except StopIteration as end:
        return said, end.value


def broken_off(order: TrainingRequest, after: int) -> None:
    """Train so many steps, then vanish, as a killed process does."""
    training = train(order)
    for _ in range(after):
        next(training)
    training.close()


def state(order: TrainingRequest) -> Iterator[Tensor]:
    """Every number that the end of a training leaves in its checkpoint, but the clock's."""
    kept = torch.load(order.folder / "checkpoint.pt", weights_only=True)
    yield from kept["weights"]
    yield from kept["average"] or ()
    for moments in kept["optimizer"]["state"].values():
        yield from (one for one in moments.values() if isinstance(one, Tensor))
    yield torch.tensor(kept["losses"])


WAYS: dict[str, dict[str, object]] = {
    "LoRA": {},
    "LoRA with text encoders": {"text_encoders": True, "accumulation": 2},
    "convolutions and DoRA": {"convolutions": True, "dora": True, "average": 0.9, "cooldown": 0.5},
    "Prodigy": {"optimizer": OptimizerKind.PRODIGY},
    "output preservation": {"preservation": Preservation.OUTPUT, "noise_offset": 0.05},
    "full": {"method": Method.FULL, "flips": True, "learning_rate": 1e-4},
    "SDXL": {"model": "speck"},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_was_cut_off_ends_as_an_undisturbed_one(an_order: An, way: str) -> None:
    whole, cut = (an_order(folder, steps=4, **WAYS[way]) for folder in ("whole", "cut"))
    said, report = done(whole)
    broken_off(cut, after=3)
    later, again = done(cut)
    assert [one.step for one in said] == [1, 2, 3, 4]
    assert [one.step for one in later] == [3, 4]
    pairs = zip(state(whole), state(cut), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert replace(again, seconds=0.0) == replace(report, seconds=0.0)
    for candidate in report.candidates:
        one, other = (load_file(order.folder / candidate.file) for order in (whole, cut))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_report_names_sound_loras_and_the_best_of_them(an_order: An) -> None:
    order = an_order(method=Method.FULL, rank=4, learning_rate=1e-3)
    _, report = done(order)
    assert [one.step for one in report.candidates] == [2, 4, 6]
    for candidate in report.candidates:
        assert LoraFile.open(order.folder / candidate.file).layers
        assert 0 < candidate.residual < 1  # a change of full rank never fits
    best = max(report.candidates, key=lambda one: one.scores.overall)
    assert report.candidates[report.chosen].scores.overall == best.scores.overall
    with Image.open(order.folder / report.sheet) as sheet:
        assert min(sheet.size) > 2 * 64


def test_it_learns_what_it_is_shown(an_order: An) -> None:
    order = an_order(steps=20, look_every=4, keep_every=20, learning_rate=1e-2, settles=False)
    done(order)
    losses = torch.load(order.folder / "checkpoint.pt", weights_only=True)["losses"]
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize(("cooldown", "share"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.25)])
def test_the_last_of_four_steps_is_as_short_as_the_plan_says(an_order: An, cooldown: float, share: float) -> None:
    order = an_order(steps=4, learning_rate=1e-3, settles=False, cooldown=cooldown)
    done(order)
    [group] = torch.load(order.folder / "checkpoint.pt", weights_only=True)["optimizer"]["param_groups"]
    assert group["lr"] == pytest.approx(1e-3 * share)


def test_enough_is_enough(an_order: An) -> None:
    order = an_order()
    said, report = done(order, enough_at=3)
    assert (said[-1].step, report.steps, report.settled) == (3, 3, False)
    assert [one.step for one in report.candidates] == [2, 3]


def test_a_finished_training_says_the_same_again(an_order: An) -> None:
    """The worker that had it may die before it could tell anybody."""
    order = an_order(steps=2)
    _, report = done(order)
    with pytest.raises(StopIteration) as end:
        next(train(order))
    assert replace(end.value.value, seconds=report.seconds) == report


def test_it_stops_once_its_loss_has_settled() -> None:
    falling = [1 / (1 + step) for step in range(8)]
    assert not EarlyStopping(losses=falling[:6]).settled
    assert not EarlyStopping(losses=[1 - step / 20 for step in range(13)]).settled  # as steep as ever
    assert EarlyStopping(losses=[*falling, *[0.1, 0.1001] * 4]).settled


def test_what_is_no_number_never_becomes_a_lora(an_order: An) -> None:
    order = an_order(steps=30, keep_every=50, preservation=Preservation.NONE)
    weights = Path(order.plan.model) / "unet" / "diffusion_pytorch_model.safetensors"
    sound = load_file(weights)
    try:
        save_file({name: torch.full_like(one, torch.nan) for name, one in sound.items()}, weights)
        with pytest.raises(UserError, match="unstable"):
            done(order)
        with pytest.raises(UserError, match="nothing that can be used"):
            done(an_order("short", steps=3, preservation=Preservation.NONE))
    finally:
        save_file(sound, weights)
    assert not list(order.folder.glob("*.safetensors"))


def test_transparency_masks_and_flips_mirror(an_order: An, tmp_path: Path) -> None:
    plan = an_order(flips=True).plan
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :32] = (200, 30, 30, 255)
    path = tmp_path / "half.png"
    Image.fromarray(pixels).save(path)
    example, mirrored = image_examples(
        open_model(plan, "cpu"), (TrainingImage(path=path, caption="{} on a beach"),), plan
    )
    assert example.prompt == "j dog on a beach"
    assert example.mask is not None
    assert mirrored.mask is not None
    width = example.mask.shape[-1]
    assert bool((example.mask[..., : width // 2] == 1).all())
    assert not example.mask[..., width // 2 :].any()
    assert torch.equal(mirrored.mask, example.mask.flip(-1))
    assert not torch.equal(mirrored.mean, example.mean)
