"""What `limner doctor` says of a machine on which nothing was started yet."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from bot import doctor
from bot.assembly.health import health_app, running_health
from bot.assembly.settings import Settings


@pytest.mark.parametrize("folder", ["", "of/a/new/machine"])
async def test_a_database_that_is_not_there_yet_is_made_by_migrate(folder: str, tmp_path: Path) -> None:
    """Whether or not its folder is there; no advice may ask a person to make that by hand."""
    finding = await doctor._database(Settings(data=tmp_path / folder))

    assert (finding.verdict, finding.advice) == (doctor.Verdict.MISSING, "run: limner migrate")


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ((), "waifu2x; members may also choose lanczos"),
        (("sharp",), "sharp; members may also choose waifu2x, lanczos"),
    ],
)
def test_the_upscaler_that_members_get_is_named(own: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """And those that they may choose."""
    for name in own:
        (tmp_path / "upscalers").mkdir()
        (tmp_path / "upscalers" / f"{name}.safetensors").touch()

    assert doctor._upscaler(Settings(data=tmp_path)).words == words


async def _findings(**changes: Any) -> list[doctor.Finding]:
    return [finding async for finding in doctor._port(Settings(_env_file=None, host="127.0.0.1", **changes))]


async def test_a_free_port_is_found() -> None:
    """It stays free."""
    [finding] = await _findings(port=0)

    assert finding.verdict is doctor.Verdict.FOUND


async def test_what_a_running_serve_lacks_is_told() -> None:
    """The port is its own then."""

    async def missing() -> str | None:
        return "Discord cannot be reached"

    app = health_app({"discord": missing}, None)  # type: ignore[arg-type] # nobody asks for the metrics
    async with running_health(app, "127.0.0.1", 0) as port:
        found = await _findings(port=port)

    assert [(finding.name, finding.verdict) for finding in found] == [
        ("port", doctor.Verdict.FOUND),
        ("serve", doctor.Verdict.MISSING),
    ]
    assert found[1].words == "discord: Discord cannot be reached"


async def test_another_programs_port_is_told() -> None:
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        other.settimeout(60)
        answering = asyncio.create_task(asyncio.to_thread(_hang_up, other))
        [finding] = await _findings(port=port)
        await answering

    assert finding.verdict is doctor.Verdict.MISSING
    assert f"Port {port} is in use" in finding.advice


def _hang_up(listener: socket.socket) -> None:
    """Take one caller, and say nothing that is HTTP."""
    connection, _ = listener.accept()
    connection.recv(4096)
    connection.sendall(b"220 mail\r\n")
    connection.close()
