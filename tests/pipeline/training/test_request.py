"""A training as it is handed to its process."""

import io
from pathlib import Path

from pipeline.processes import frames
from pipeline.training.config import Method, Preservation, TrainingConfig
from pipeline.training.request import TrainingImage, TrainingRequest


def test_it_arrives_as_it_was_sent() -> None:
    """All of it is plain data: the plan with its choices, the images with their captions, the places."""
    plan = TrainingConfig(
        model="pocket", instance_prompt="j dog", class_prompt="dog", area=4096, steps=6, seed=1, method=Method.FULL,
        preservation=Preservation.OUTPUT, snr_gamma=None, templates=("{}", "{} in the snow"),
    )  # fmt: skip
    sent = TrainingRequest(
        plan=plan, images=(TrainingImage(path=Path("a.png"), caption="{} on a beach"),), folder=Path("run"),
        cache=Path("cache"), device="cuda:0", share=0.25,
    )  # fmt: skip

    assert frames.read(io.BytesIO(frames.pack(sent))) == sent
