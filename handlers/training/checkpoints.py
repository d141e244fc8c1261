"""The sets of weights that a training left, of which its LoRA uses one, and the buttons that choose another."""

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed, check_permission
from handlers.messages.message import Button, Message, Verb
from handlers.training.request import TRAINING
from pipeline.errors import InvalidRequest, UserError
from storage.queue.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The weights after `step` steps: `key` names their canonical file, `scores` are theirs, in lines."""

    key: str
    step: int
    scores: str


_PICKS: Final = TypeAdapter(tuple[Pick, ...])


def write_picks(picks: tuple[Pick, ...]) -> str:
    """The picks as a note beside the training's sheet."""
    return _PICKS.dump_json(picks).decode()


async def read_picks(job: Job, context: AppContext) -> tuple[Pick, ...]:
    """What the training left to choose from, by steps; nothing of one that left no sheet."""
    recorded = await context.queue.images(job.guild_id, job.id)
    return _PICKS.validate_json(recorded[0].note) if recorded else ()


def pick_buttons(job: Job, picks: tuple[Pick, ...]) -> tuple[tuple[Button, ...], ...]:
    """A button for each of several; none where there is no choice."""
    if len(picks) < 2:
        return ()
    return (
        tuple(
            Button(verb=Verb.PICK, target=job.id, index=index, label=f"Use step {pick.step}")
            for index, pick in enumerate(picks)
        ),
    )


async def use_pick(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    """Let the trained LoRA be the weights of that button, from the next image on."""
    order = TRAINING.read(job.payload)
    check_permission(caller, f"train {order.concept}")
    lora = await context.loras.with_key(caller.guild.id, order.key)
    if lora is None:
        raise UserError("This LoRA was removed meanwhile; /lora list shows those that there are.")
    if not (caller.member.is_admin or lora.owner_id == caller.member.id):
        raise NotAllowed(f"'{lora.name}' is another member's; only they or an admin can change it.")
    picks = await read_picks(job, context)
    if index >= len(picks):
        raise InvalidRequest("index", "There are no such weights in this message; use one of its own buttons.")
    pick = picks[index]
    if not await context.loras.set_weights(lora, pick.key, pick.scores):
        raise UserError("This LoRA was removed meanwhile; /lora list shows those that there are.")
    return Message(
        headline=f"@{lora.name} is what it was at step {pick.step} now.", lines=tuple(pick.scores.splitlines())
    )
