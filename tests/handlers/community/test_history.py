"""/history: one's own jobs, searched and paged through."""

import pytest

from handlers.buttons import Press, press
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.messages.message import Message, Verb
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.jobs import Done
from tests.app_contexts import CallCommand
from tests.fakes import png, request


def numbers(message: Message) -> list[int]:
    return [int(line.partition(":")[0]) for line in message.lines]


def targets(message: Message, verb: Verb) -> list[int]:
    return [button.target for row in message.buttons for button in row if button.verb is verb]


async def test_pages_go_back_to_the_first(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """Newest first, five at a time, nothing twice and nothing left out."""
    jobs = [(await call("imagine", prompt=f"fox {number}")).job_id for number in range(7)]

    first = await call("history")
    (older,) = targets(first, Verb.CALL)
    saved = await context.calls.get(guild.id, older)
    assert saved is not None
    second = await call(saved.command, **{name: value for name, value in saved.values if value})

    assert numbers(first) + numbers(second) == jobs[::-1]
    assert targets(second, Verb.CALL) == []


async def test_every_word_has_to_be_in_the_prompt(call: CallCommand) -> None:
    """In any case and any order; other members' jobs are not there."""
    job_id = (await call("imagine", prompt="a Red fox in the snow")).job_id
    await call("imagine", prompt="a red owl")
    await call("imagine", prompt="red fox", member="bob")

    assert numbers(await call("history", search="FOX red")) == [job_id]
    assert (await call("history", search="whale")).headline == "Nothing of yours mentions 'whale'."


async def test_only_what_is_done_can_be_sent(call: CallCommand, context: AppContext) -> None:
    """What waits can be made again all the same."""
    done, waiting = (await call("imagine", prompt="fox")).job_id, (await call("imagine", prompt="owl")).job_id
    claim = await context.queue.claim("worker")
    assert claim is not None
    await context.queue.settle(claim, Done(device_seconds=1.0))

    shown = await call("history")

    assert targets(shown, Verb.AGAIN) == [waiting, done]
    assert targets(shown, Verb.SAVE) == [done]


@pytest.mark.parametrize(("length", "ends"), [(90, "x"), (91, "…")])
async def test_a_long_prompt_is_cut(call: CallCommand, length: int, ends: str) -> None:
    await call("imagine", prompt="x" * length)

    (line,) = (await call("history")).lines

    prompt = line.partition(": ")[2].partition(" · ")[0]
    assert (len(prompt), prompt[-1]) == (90, ends)


async def test_what_could_not_be_brought_is_shown_until_it_is_saved(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """Whatever made it; a search and further pages show nothing else than they say."""
    job_id = (await call("imagine", prompt="red fox")).job_id
    claim = await context.queue.claim("worker")
    assert claim is not None
    blob = await context.blobs.put(png(request()))
    await context.queue.record_image(claim, NewImage(index=0, blob=blob, width=64, height=64, seed=7, parameters=""))
    await context.queue.settle(claim, Done(device_seconds=1.0))
    (reply,) = await context.outbox.due(Platform.TERMINAL, "chat")
    await context.outbox.mark_kept(reply, "direct messages are closed")

    shown = await call("history")
    assert f"{job_id} could not be brought to you" in shown.lines[0]
    assert len(shown.images) == 1
    assert (shown.private, targets(shown, Verb.SAVE)) == (True, [job_id])
    assert (await call("history", search="fox")).images == ()
    assert (await call("history", member="bob")).images == ()

    caller = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=reply.address)
    await press(Press(verb=Verb.SAVE, target=job_id or 0, index=0), caller, context)

    assert (await call("history")).images == ()


async def test_a_long_search_says_how_far_it_came(
    call: CallCommand, context: AppContext, guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads that there is nothing while something was not looked at."""
    monkeypatch.setattr("handlers.community.history._BATCH", 2)
    monkeypatch.setattr("handlers.community.history._SEARCHED", 4)
    wanted = (await call("imagine", prompt="a whale")).job_id
    jobs = [(await call("imagine", prompt=f"fox {number}")).job_id for number in range(5)]

    first = await call("history", search="whale")
    (older,) = targets(first, Verb.CALL)
    saved = await context.calls.get(guild.id, older)
    assert saved is not None
    second = await call(saved.command, **dict(saved.values))

    assert first.lines == (f"Searched back to job {jobs[1]}; Older looks further.",)
    assert numbers(second) == [wanted]
