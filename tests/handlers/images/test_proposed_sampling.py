"""A LoRA that wants few steps proposes them, and the answer says so."""

from typing import Any

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from pipeline.families.family import ModelFamily
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.sampling import Sampling
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora
from tests.app_contexts import CallCommand

_LCM = Sampling(steps=4, guidance_scale=1.0, scheduler=Scheduler.LCM)
_HYPER = Sampling(steps=8, guidance_scale=None, scheduler=Scheduler.DDIM)


@pytest.fixture
async def library(context: AppContext, guild: Guild) -> None:
    for name, sampling in (("lcm", _LCM), ("hyper", _HYPER), ("crayon", None)):
        await context.loras.add(
            NewLora(
                guild_id=guild.id, name=name, owner_id="ann", base_family=ModelFamily.SDXL, key=f"key-{name}", size=1,
                metadata="A card", sampling=sampling,
            )
        )  # fmt: skip


async def queued(context: AppContext, guild: Guild) -> ImageRequest:
    return REQUEST.read((await context.queue.guild_jobs(guild.id))[0].payload)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("options", "sampled", "words"),
    [
        ({"lora": "lcm"}, (4, 1.0, Scheduler.LCM), "As LoRA 'lcm' wants: 4 steps, guidance 1 and lcm."),
        ({"lora": "hyper"}, (8, 5.0, Scheduler.DDIM), "As LoRA 'hyper' wants: 8 steps and ddim."),
        ({"lora": "hyper crayon lcm"}, (4, 1.0, Scheduler.LCM), "As LoRA 'lcm' wants: 4 steps, guidance 1 and lcm."),
        (
            {"lora": "lcm", "steps": 6},
            (6, 1.0, Scheduler.LCM),
            "LoRA 'lcm' wants 4 steps, guidance 1 and lcm; this has 6 steps, guidance 1 and lcm.",
        ),
        (
            {"lora": "lcm", "steps": 30, "guidance": 6.0, "scheduler": Scheduler.EULER},
            (30, 6.0, Scheduler.EULER),
            "LoRA 'lcm' wants 4 steps, guidance 1 and lcm; this has 30 steps, guidance 6 and euler.",
        ),
        ({"lora": "crayon"}, (20, 5.0, Scheduler.EULER), None),
        ({"lora": "lcm:0"}, (20, 5.0, Scheduler.EULER), None),
        ({"lora": "lcm:-1"}, (20, 5.0, Scheduler.EULER), None),
    ],
)
async def test_steps_are_as_the_lora_wants_unless_told_otherwise(
    call: CallCommand,
    context: AppContext,
    guild: Guild,
    options: dict[str, Any],
    sampled: tuple[object, ...],
    words: str | None,
) -> None:
    """The one that wants fewest counts; one that is taken away has no say."""
    said = await call("imagine", prompt="red fox", **options)

    request = await queued(context, guild)
    assert (request.steps, request.guidance_scale, request.scheduler) == sampled
    assert [line for line in said.lines if "wants" in line] == ([] if words is None else [words])


@pytest.mark.usefixtures("library")
async def test_a_proposal_keeps_to_the_guilds_caps(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """As what the model proposes does: a member who names nothing is not refused."""
    await call("settings", admin=True, max_steps=6, samplers="euler heun")

    said = await call("imagine", prompt="red fox", lora="hyper")

    request = await queued(context, guild)
    assert (request.steps, request.scheduler) == (6, Scheduler.EULER)
    assert "LoRA 'hyper' wants 8 steps and ddim; this has 6 steps, guidance 5 and euler." in said.lines
