"""Real errors of a disk and a database, and what a member reads of them."""

import errno
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from handlers.buttons import Press, press
from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Verb
from handlers.messages.refusal import refusal
from pipeline.errors import UserError
from storage.database import Database
from storage.errors import StorageError, disk_error
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.jobs import Done, JobKind, NewJob
from storage.queue.reply_address import ReplyAddress
from tests.fakes import png, request
from tests.full_disk import full_disk

Breaking = Callable[[Path], AbstractContextManager[None]]


@dataclass(slots=True)
class Somebody:
    """A member whose job 1 is done, before the disk fails."""

    context: AppContext
    caller: Caller
    data: Path

    async def command(self, name: str, **values: object) -> object:
        return await answer(self.context.command(name), values, self.caller, self.context)  # type: ignore[arg-type] # values of any kind

    async def press(self, verb: Verb) -> object:
        return await press(Press(verb=verb, target=1, index=0), self.caller, self.context)

    async def attach(self) -> object:
        async def chunks() -> AsyncGenerator[bytes, None]:
            yield png(request()) * 100

        file = OfferedFile(name="fox.png", size=10, chunks=chunks)
        return await self.command("upscale", image=file)


@pytest.fixture
async def ada(context: AppContext, guild: Guild, tmp_path: Path) -> Somebody:
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada", is_admin=True), reply=reply)
    await context.queue.enqueue(
        NewJob(
            guild_id=guild.id, member_id="ada", member_name="Ada", kind=JobKind.IMAGINE,
            payload=REQUEST.write(request()), reply=reply, cost_key="k", cost_units=1,
        )
    )  # fmt: skip
    claim = await context.queue.claim("worker")
    assert claim is not None
    blob = await context.blobs.put(png(request()))
    await context.queue.record_image(claim, NewImage(index=0, blob=blob, width=64, height=64, seed=7, parameters=""))
    await context.queue.settle(claim, Done(device_seconds=1.0))
    return Somebody(context, caller, tmp_path)


@contextmanager
def _no_blobs(data: Path) -> Iterator[None]:
    """The folder is gone: ENOENT."""
    shutil.rmtree(data / "blobs")
    yield


@contextmanager
def _no_folder(data: Path) -> Iterator[None]:
    """A file stands where the folder should: ENOTDIR."""
    shutil.rmtree(data / "blobs")
    (data / "blobs").touch()
    yield


@contextmanager
def _loop(data: Path) -> Iterator[None]:
    """A link that leads to itself: ELOOP."""
    shutil.rmtree(data / "blobs")
    (data / "blobs").symlink_to(data / "blobs")
    yield


@contextmanager
def _full(_data: Path) -> Iterator[None]:
    """No file may grow: EFBIG, as ENOSPC."""
    with full_disk(0):
        yield


@contextmanager
def _broken_database(data: Path) -> Iterator[None]:
    """Something has written over it."""
    for path in data.glob("limner.db*"):
        path.write_bytes(b"no database" * 1000)
    yield


Attempt = Callable[[Somebody], Awaitable[object]]
_ATTEMPTS: dict[str, Attempt] = {
    "imagine": lambda ada: ada.command("imagine", prompt="fox"),
    "attach": lambda ada: ada.attach(),
    "save": lambda ada: ada.press(Verb.SAVE),
    "again": lambda ada: ada.press(Verb.AGAIN),
    "delete": lambda ada: ada.press(Verb.DELETE),
    "history": lambda ada: ada.command("history"),
    "queue": lambda ada: ada.command("queue"),
    "privacy": lambda ada: ada.command("privacy", what="export"),
    "settings": lambda ada: ada.command("settings", **{"max-steps": 9}),
    "lora list": lambda ada: ada.command("lora list"),
}


@pytest.mark.parametrize(
    ("broken", "attempts"),
    [
        (_no_blobs, ["save"]),
        (_no_folder, ["save", "attach"]),
        (_loop, ["save", "attach"]),
        (_full, ["attach", "imagine", "again", "delete", "settings"]),
        (_broken_database, [name for name in _ATTEMPTS if name != "attach"]),
    ],
)
async def test_a_member_reads_nothing_of_this_machine(
    ada: Somebody, sqlite: Database, broken: Breaking, attempts: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """One sentence each; what to mend, and where, is in the log."""
    if broken is _broken_database:
        await sqlite.close()
    for name in attempts:
        caplog.clear()
        with pytest.raises(UserError) as raised, broken(ada.data):
            await _ATTEMPTS[name](ada)
        if broken in (_no_blobs, _no_folder, _loop):
            _mend(ada.data)

        sentence = refusal(raised.value)

        assert isinstance(raised.value, StorageError), name
        assert "/" not in sentence, name
        assert "tell the person who runs it" in sentence
        assert raised.value.place in caplog.text


def _mend(data: Path) -> None:
    path = data / "blobs"
    if path.is_symlink() or path.is_file():
        path.unlink()
    path.mkdir(exist_ok=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENOENT, errno.EROFS, errno.EIO, errno.EMFILE])
def test_what_a_disk_reports_is_plain_without_its_place(number: int) -> None:
    """For those who ask whether we are ready."""
    plain = disk_error(OSError(number, os.strerror(number), "/srv/secret"), "the blob folder", "/srv/data x").plain

    assert "/srv" not in plain
    assert "blob folder" in plain


async def test_a_database_server_that_is_not_there_is_not_named() -> None:
    """Neither its host nor its port, by any of its sentences."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(StorageError) as raised:
            await Database.open(f"postgresql://limner:geheim@127.0.0.1:{port}/limner")

    assert str(port) in str(raised.value)
    for sentence in (raised.value.plain, refusal(raised.value)):
        assert not {"127.0.0.1", str(port), "/", "geheim"} & {word.strip(";:,.") for word in sentence.split()}
        assert str(port) not in sentence
