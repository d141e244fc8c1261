"""The inbox: what was received is there until it is answered, by one process at a time, on both databases."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from storage.database import Database
from storage.encryption import Encryption
from storage.errors import StorageError
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.inbox import AnsweredElsewhere, Inbox, Unreachable
from storage.queue.job_queue import JobQueue
from storage.queue.outbox import Outbox
from tests.fakes import FakeClock
from tests.new_jobs import new_job

PAYLOAD = {"token": "a secret", "data": {"name": "imagine"}}
STALE = 10.0


@pytest.fixture
def encryption(tmp_path: Path) -> Encryption:
    return Encryption.from_file(tmp_path)


@pytest.fixture
def inbox(database: Database, encryption: Encryption) -> Inbox:
    return Inbox(database, encryption)


@pytest.fixture
def other(database: Database, encryption: Encryption) -> Inbox:
    """The inbox as another process has it."""
    return Inbox(database, encryption)


async def received(inbox: Inbox, key: str = "1") -> int:
    id_ = await inbox.receive(Platform.DISCORD, key, PAYLOAD)
    assert id_ is not None
    return id_


async def left_ids(inbox: Inbox) -> list[int]:
    return [each.id for each in await inbox.take_left(Platform.DISCORD, STALE)]


async def test_what_comes_twice_is_received_once(inbox: Inbox, other: Inbox) -> None:
    """By whichever process, and of many at once each one."""
    keys = [str(number % 5) for number in range(20)]

    ids = await asyncio.gather(*(box.receive(Platform.DISCORD, key, PAYLOAD) for key in keys for box in (inbox, other)))

    assert sum(id_ is not None for id_ in ids) == 5
    assert await inbox.receive(Platform.DISCORD, "0", PAYLOAD) is None
    assert await inbox.receive(Platform.SLACK, "0", PAYLOAD) is not None


async def test_what_is_left_is_taken_up_by_one(inbox: Inbox, other: Inbox, clock: FakeClock) -> None:
    """As it was sent, once nobody has held it for a while."""
    id_ = await received(inbox)
    clock.advance(STALE - 1)
    assert await left_ids(other) == []

    clock.advance(1)
    taken = await asyncio.gather(*(box.take_left(Platform.DISCORD, STALE) for box in (inbox, other)))

    [found] = [each for found in taken for each in found]
    assert (found.id, found.payload, found.attempt, found.age) == (id_, PAYLOAD, 2, STALE)
    assert await inbox.take_left(Platform.SLACK, STALE) == []


async def test_each_application_answers_what_it_was_sent(inbox: Inbox, clock: FakeClock) -> None:
    """Another one has other tokens; once there is none of them left, nothing is kept for it."""
    await inbox.receive(Platform.DISCORD, "1", PAYLOAD, "ours")
    clock.advance(STALE)
    assert await inbox.take_left(Platform.DISCORD, STALE, "theirs") == []

    [found] = await inbox.take_left(Platform.DISCORD, STALE, "ours")
    assert found.payload == PAYLOAD
    clock.advance(60)
    await inbox.forget_old(60)

    assert await inbox.take_left(Platform.DISCORD, STALE, "ours") == []


async def test_what_is_handled_is_held(inbox: Inbox, other: Inbox, clock: FakeClock) -> None:
    """For as long as its process says so, and then it is answered."""
    async with inbox.handling(await received(inbox)):
        for _ in range(5):
            clock.advance(STALE - 1)
            await inbox.hold()
            assert await left_ids(other) == []
    clock.advance(STALE)

    assert await left_ids(other) == []


async def test_what_is_stopped_is_left_and_a_fault_is_not(inbox: Inbox, clock: FakeClock) -> None:
    """A fault was told; who was cancelled has told nothing."""
    cancelled, failed = await received(inbox, "1"), await received(inbox, "2")
    with pytest.raises(asyncio.CancelledError):
        async with inbox.handling(cancelled):
            raise asyncio.CancelledError
    with pytest.raises(ValueError, match="ours"):
        async with inbox.handling(failed):
            raise ValueError("ours")
    clock.advance(STALE)

    assert await left_ids(inbox) == [cancelled]


async def test_an_attempt_that_reached_nobody_does_not_count(inbox: Inbox, clock: FakeClock) -> None:
    """A platform that does not answer says nothing of what was sent."""
    id_ = await received(inbox)
    for _ in range(5):
        async with inbox.handling(id_):
            raise Unreachable("no network")
        clock.advance(STALE)
        [found] = await inbox.take_left(Platform.DISCORD, STALE)
        assert found.attempt == 1 + 1 - 1


async def test_a_job_answers_in_its_own_transaction(
    inbox: Inbox, queue: JobQueue, guild: Guild, clock: FakeClock
) -> None:
    """Once it is stored nothing is left, even if the process ends there; one that is not stored answers nothing."""
    id_ = await received(inbox)

    async def handle() -> None:
        async with inbox.handling(id_):
            assert inbox.handled_id == id_
            await queue.enqueue(new_job(guild.id, received_id=inbox.handled_id))
            inbox.note_answered()
            assert inbox.handled_id is None
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await handle()
    assert inbox.handled_id is None
    clock.advance(STALE)

    assert await left_ids(inbox) == []


@pytest.mark.parametrize("private", [True, False])
async def test_what_asked_for_a_private_result_is_kept_for_it(
    inbox: Inbox, queue: JobQueue, outbox: Outbox, guild: Guild, clock: FakeClock, private: bool
) -> None:
    """For an hour, since its token alone shows the result in private; nothing else is."""
    id_ = await received(inbox)
    clock.advance(5)
    new = new_job(guild.id, received_id=id_)
    job = await queue.enqueue(replace(new, reply=replace(new.reply, private=private)))

    address = await outbox.address(guild.id, job.id)
    assert address is not None
    assert address.received_id == id_
    kept = await inbox.kept(id_)
    assert (kept is not None) is private
    if kept is not None:
        assert (kept.payload, kept.age) == (PAYLOAD, 5)
    clock.advance(3600)
    await inbox.forget_old(10**6)
    assert await inbox.kept(id_) is None


async def test_of_two_processes_one_queues_the_job(
    inbox: Inbox, other: Inbox, queue: JobQueue, guild: Guild, clock: FakeClock
) -> None:
    """One that was frozen, and thinks that it still holds what another took up, does nothing."""
    id_ = await received(inbox)
    async with inbox.handling(id_):
        clock.advance(STALE)
        assert await left_ids(other) == [id_]
        async with other.handling(id_):
            await queue.enqueue(new_job(guild.id, received_id=id_))
            other.note_answered()
        await queue.enqueue(new_job(guild.id, received_id=id_))
        pytest.fail("a second job was stored")

    with pytest.raises(AnsweredElsewhere):
        await queue.enqueue(new_job(guild.id, received_id=id_))
    assert len(await queue.upcoming(9)) == 1


async def test_the_payload_is_encrypted_and_goes_when_it_is_answered(inbox: Inbox, database: Database) -> None:
    """It holds tokens that answer in the bot's name."""
    id_ = await received(inbox)
    stored = await _payload(database)
    assert stored is not None
    assert "secret" not in stored

    async with inbox.handling(id_):
        pass

    assert await _payload(database) is None


async def test_what_another_key_encrypted_is_given_up(
    inbox: Inbox, database: Database, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can answer it; the log says so."""
    await received(inbox)
    clock.advance(STALE)
    with_another_key = Inbox(database, Encryption.from_keys(Fernet.generate_key().decode()))

    with caplog.at_level(logging.ERROR):
        assert await left_ids(with_another_key) == []

    assert "another key" in caplog.text
    clock.advance(STALE)
    assert await left_ids(inbox) == []


async def test_what_is_old_is_forgotten(inbox: Inbox, clock: FakeClock) -> None:
    """For as long as a platform may repeat itself it is known; answered or not, for no longer."""
    answered = await received(inbox, "1")
    await received(inbox, "2")
    await inbox.close(answered)

    await inbox.forget_old(60)
    assert await inbox.receive(Platform.DISCORD, "1", PAYLOAD) is None
    clock.advance(60)
    await inbox.forget_old(60)

    assert await left_ids(inbox) == []
    assert await inbox.receive(Platform.DISCORD, "1", PAYLOAD) is not None


async def test_who_gave_up_waiting_has_sent_nothing(inbox: Inbox, database: Database, clock: FakeClock) -> None:
    """The member was told that it was not taken."""
    async with database.write():
        waiting = asyncio.create_task(inbox.receive(Platform.DISCORD, "1", PAYLOAD))
        await asyncio.sleep(0)
        waiting.cancel()
    await inbox.finish()
    clock.advance(STALE)

    assert await left_ids(inbox) == []
    assert await inbox.receive(Platform.DISCORD, "1", PAYLOAD) is not None


async def test_who_gave_up_in_the_moment_of_the_commit_has_sent_nothing(
    inbox: Inbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payload was stored, but the sender's patience ended before it was told so; it may come again."""
    receiving = asyncio.create_task(inbox.receive(Platform.DISCORD, "1", PAYLOAD))
    hand_out = inbox._hand_out

    def give_up(*stored: Any) -> None:
        hand_out(*stored)
        receiving.cancel()

    monkeypatch.setattr(Inbox, "_hand_out", lambda _, *stored: give_up(*stored))
    with pytest.raises(asyncio.CancelledError):
        await receiving
    await inbox.finish()
    clock.advance(STALE)

    assert await left_ids(inbox) == []
    assert await inbox.receive(Platform.DISCORD, "1", PAYLOAD) is not None


async def test_one_who_gave_up_delays_nobody(inbox: Inbox, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored with it is handed out, even where it cannot be deleted."""
    late, other = (asyncio.create_task(inbox.receive(Platform.DISCORD, key, PAYLOAD)) for key in "12")
    insert = inbox._insert

    async def give_up(*stored: Any) -> Any:
        ids = await insert(*stored)
        late.cancel()
        monkeypatch.setattr(database, "write", _refuse)
        return ids

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Inbox, "_insert", lambda _, *stored: give_up(*stored))
        assert await other is not None
        await inbox.finish()
    monkeypatch.undo()
    await inbox.hold()

    assert await inbox.receive(Platform.DISCORD, "1", PAYLOAD) is not None


async def test_what_is_answered_while_nothing_can_be_written_is_answered_once(
    inbox: Inbox, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full after the answer is no fault of the answer; it is noted as soon as there is room."""
    with monkeypatch.context() as full:
        async with inbox.handling(await received(inbox)):
            full.setattr(database, "write", _refuse)
    clock.advance(STALE)

    assert await left_ids(inbox) == []
    await inbox.hold()
    assert await left_ids(Inbox(database, inbox.encryption)) == []


async def test_a_fault_while_nothing_can_be_written_stays_the_fault(
    inbox: Inbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names the first error, not the second."""
    id_ = await received(inbox)
    monkeypatch.setattr(database, "write", _refuse)

    with pytest.raises(ValueError, match="ours"):
        async with inbox.handling(id_):
            raise ValueError("ours")
    async with inbox.handling(id_):
        raise Unreachable("no network")


async def test_what_comes_at_once_is_stored_in_one_order(inbox: Inbox) -> None:
    """Processes hear several shards in orders of their own; rows in two orders would wait for each other."""
    keys = ["3", "1", "2"]

    ids = await asyncio.gather(*(received(inbox, key) for key in keys))

    assert [key for _, key in sorted(zip(ids, keys, strict=True))] == ["1", "2", "3"]


@asynccontextmanager
async def _refuse(**_: object) -> AsyncIterator[None]:
    raise StorageError("The disk is full.")
    yield


async def _payload(database: Database) -> str | None:
    async with database.read() as connection:
        found: str | None = (await connection.execute(text("SELECT encrypted FROM inbox"))).scalar_one()
        return found
