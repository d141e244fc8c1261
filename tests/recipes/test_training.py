"""A run that is killed goes on as if nothing had happened."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from recipes.pocket.muon import orthogonal
from recipes.pocket.training import Plan, TrainingRun

PLAN = Plan(steps=6, batch=4, rate=0.01, warmup=2, save_seconds=-1)


class Killed(Exception):
    """The process ends here."""


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3))


def train(checkpoint: Path, kill_at: int | None = None) -> dict[str, Tensor]:
    training = TrainingRun(model(), PLAN, checkpoint)

    def loss(generator: torch.Generator) -> Tensor:
        if training.step == kill_at:
            raise Killed
        answer: Tensor = training.model(torch.randn(PLAN.batch, 2, 8, 8, generator=generator))
        return answer.square().mean()

    return training.run(loss, on_save=lambda _: None).state_dict()


def test_killed_run_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    """Weights, their average, both optimizers and chance itself come back from the checkpoint."""
    straight = train(tmp_path / "straight.pt")
    with pytest.raises(Killed):
        train(tmp_path / "killed.pt", kill_at=3)

    resumed = train(tmp_path / "killed.pt")

    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_no_half_written_checkpoint_stays_behind(tmp_path: Path) -> None:
    """A checkpoint is replaced in one step."""
    train(tmp_path / "run.pt")

    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_rate_rises_holds_and_falls() -> None:
    """The plan's three parts."""
    plan = Plan(steps=100, batch=1, rate=1.0, warmup=10, cooldown=0.5)

    assert plan.rate_at(0) == pytest.approx(0.1)
    assert plan.rate_at(30) == 1.0
    assert plan.rate_at(75) == pytest.approx(0.5)
    assert plan.rate_at(99) == pytest.approx(0.02)


def test_orthogonal_evens_out_singular_values() -> None:
    """Large and small directions of a gradient come out alike."""
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(2, 12, 5, generator=generator) @ torch.diag(torch.tensor([9.0, 5.0, 3.0, 2.0, 1.0]))

    values = torch.linalg.svdvals(orthogonal(matrices))

    assert values.min() > 0.5
    assert values.max() < 1.5
