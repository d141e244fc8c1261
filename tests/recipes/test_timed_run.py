"""`python -m recipes.pocket --minutes`: a dry run on a CPU, with a model that is smaller still."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from transformers import CLIPTokenizer

from recipes.pocket import export
from recipes.pocket.architecture import Sizes, build_text_encoder, build_text_encoder_2, build_unet, build_vae
from recipes.pocket.drawings import COLUMNS, SIDE, save_atlas
from recipes.pocket.landing import land
from recipes.pocket.run_folder import RunFolder
from recipes.pocket.scenes import concepts
from recipes.pocket.timed_run import TimedRun
from recipes.pocket.timed_training import TimedPlan, TimedTraining

TINY = Sizes(vae=(8, 8, 8, 8), unet=(16, 16, 16), text=16, text_layers=2, text_2=16, text_2_layers=2, head=16)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A pipeline in a folder, untrained."""
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(export.SHIPPED / "tokenizer")
    pipe = export.assemble(
        vae=build_vae(TINY),
        unet=build_unet(TINY),
        text_encoder=build_text_encoder(TINY, tokenizer),
        text_encoder_2=build_text_encoder_2(TINY, tokenizer),
        tokenizer=tokenizer,
    )
    export.save(pipe, tmp_path / "start")
    return tmp_path / "start"


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_run_hands_back_weights_that_land_and_goes_on(start: Path, tmp_path: Path) -> None:
    """A run of a few seconds: losses, samples, weights, and a second run that goes on from its checkpoints."""
    atlas = Image.effect_noise((COLUMNS * SIDE, SIDE), 50).convert("RGBA")
    save_atlas(atlas, tmp_path / "drawings.webp")
    folder = RunFolder(root=tmp_path / "run")
    run = TimedRun(
        folder=folder,
        atlas=tmp_path / "drawings.webp",
        out=tmp_path / "out",
        concepts=concepts()[:4],
        device=torch.device("cpu"),
        start=start,
        judge=tmp_path / "judge.safetensors",
        batch=2,
        vae_batch=1,
        finish_seconds=0,
        shown=("ant",),
        steps=1,
    )

    run.run(lambda: 0.05 * 60)
    land(tmp_path / "out", start, tmp_path / "landed", tmp_path / "judge.safetensors")
    first = torch.load(folder.checkpoint("timed-unet"), weights_only=True)["step"]
    run.run(lambda: 0.5)

    assert torch.load(folder.checkpoint("timed-unet"), weights_only=True)["step"] > first
    with Image.open(tmp_path / "out" / "samples.png") as samples:
        assert samples.height > 7 * 96
    before, after = (export.load(one).unet.state_dict() for one in (start, tmp_path / "landed"))
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert (tmp_path / "judge.safetensors").exists()


def test_rate_cools_to_nothing_with_the_time() -> None:
    """Whatever the number of steps."""
    plan = TimedPlan(rate=1.0, warmup=10, cooldown=0.5)

    assert plan.rate_at(0, 0.0) == pytest.approx(0.1)
    assert plan.rate_at(500, 0.3) == 1.0
    assert plan.rate_at(500, 0.75) == pytest.approx(0.5)
    assert plan.rate_at(500, 1.0) == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_lowers_the_loss_and_notes_it(tmp_path: Path, dtype: torch.dtype) -> None:
    """In single precision and with a copy that computes in half of it."""
    torch.manual_seed(0)
    plan = TimedPlan(rate=0.02, warmup=1, average=0.5, log_every=1)
    training = TimedTraining(nn.Linear(4, 4), plan, tmp_path / "timed-line.checkpoint.pt", dtype)
    asked = torch.randn(64, 4)

    averaged = training.run(
        lambda: (training.model(asked.to(dtype)) - asked).float().square().mean(), 1.0, tmp_path / "losses.jsonl"
    )

    losses = [json.loads(line)["loss"] for line in (tmp_path / "losses.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.7 * losses[0]
    assert (averaged(asked) - asked).square().mean() < 0.3 * losses[0]
