"""A training in a process of its own: killed, refused, slowed down, cut short."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from pipeline.errors import UserError
from pipeline.training.messages import TrainingPace
from pipeline.training.process import TrainingBroke, train_apart
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest

An = Callable[..., TrainingRequest]


def children() -> set[int]:
    """The processes that this one has started and that are still there."""
    own = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    with open(own) as file:  # noqa: PTH123
        return {int(one) for one in file.read().split()}


@pytest.mark.timeout(400)
async def test_a_killed_process_costs_nothing_but_time(an_order: An) -> None:
    whole, cut = an_order("whole", steps=4), an_order("cut", steps=4)
    before = children()
    undisturbed = await train_apart(whole, lambda _: None)

    def kill(progress: TrainingProgress) -> None:
        if progress.step == 3:
            (child,) = children() - before
            os.kill(child, signal.SIGKILL)

    with pytest.raises(TrainingBroke):
        await train_apart(cut, kill)
    steps: list[int] = []
    report = await train_apart(cut, lambda progress: steps.append(progress.step))
    assert steps[0] >= 3  # from the checkpoint on
    assert replace(report, seconds=0.0) == replace(undisturbed, seconds=0.0)
    one, other = (torch.load(order.folder / "weights-4.pt", weights_only=True) for order in (whole, cut))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    assert children() == before


async def test_what_cannot_be_done_is_reported_in_its_sentence(an_order: An) -> None:
    order = an_order()
    gone = replace(order, plan=replace(order.plan, model=str(order.folder / "no-such-model")))
    with pytest.raises(UserError, match="no-such-model"):
        await train_apart(gone, lambda _: None)


async def test_a_full_disk_is_reported(an_order: An) -> None:
    order = replace(an_order(), folder=an_order().cache.parent / "full")
    order.folder.mkdir()
    (order.folder / "weights-2.pt.partial").symlink_to("/dev/full")
    with pytest.raises(UserError, match="disk is full"):
        await train_apart(order, lambda _: None)


async def test_cancelling_kills_the_process(an_order: An) -> None:
    order = an_order(steps=10_000, settles=False)
    before = children()
    begun = asyncio.Event()
    training = asyncio.create_task(train_apart(order, lambda _: begun.set()))
    await begun.wait()
    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training
    assert children() == before


async def test_paused_it_takes_no_step(an_order: An) -> None:
    """Until it may go on; then it ends as any other."""
    said = 0
    said_at_looks: list[int] = []

    def ignore(_progress: TrainingProgress) -> None:
        nonlocal said
        said += 1

    def pace() -> TrainingPace:
        if said:
            said_at_looks.append(said)
        return TrainingPace(paused=len(said_at_looks) < 5)

    report = await train_apart(an_order(steps=3, settles=False), ignore, pace)
    assert report.steps == 3
    assert said_at_looks[:5] == [1] * 5


async def test_enough_ends_it_with_a_report(an_order: An) -> None:
    order = an_order(steps=10_000, keep_every=5_000, look_every=5_000, settles=False)
    latest = 0

    def hear(progress: TrainingProgress) -> None:
        nonlocal latest
        latest = progress.step

    report: TrainingReport = await train_apart(order, hear, lambda: TrainingPace(busy=latest < 3, enough=latest >= 3))
    assert 3 <= report.steps < 10_000
    assert report.candidates[-1].step == report.steps
