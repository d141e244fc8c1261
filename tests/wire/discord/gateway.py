"""The gateway of the fake Discord: hello, identify, events, heartbeats, and resuming after a dropped line."""

import contextlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from simcord.backend import Backend, serializers

_DISPATCH, _HEARTBEAT, _IDENTIFY, _RESUME, _INVALID, _HELLO, _ACK = 0, 1, 2, 6, 9, 10, 11
_HEARTBEAT_MS = 30_000


@dataclass(slots=True)
class Session:
    """What one identified client was sent, so that it can be sent again; `line` is where it listens now."""

    id: str
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    line: "Line | None" = None

    @property
    def is_heard(self) -> bool:
        """Whether its client listens now."""
        return self.line is not None and not self.line.socket.closed

    async def send(self, event: str, payload: dict[str, Any]) -> None:
        """Send an event; a client that has no line now hears it when it resumes."""
        self.sent.append((event, payload))
        if self.line is not None and self.is_heard:
            # A client that has just died is no trouble of the others.
            with contextlib.suppress(ConnectionError):
                await self.line.send(_DISPATCH, payload, len(self.sent), event)


@dataclass(slots=True)
class Line:
    """One WebSocket with its compression, which lasts as long as the connection."""

    socket: web.WebSocketResponse
    compressor: Any = field(default_factory=zlib.compressobj)

    async def send(self, op: int, data: object, sequence: int | None = None, event: str | None = None) -> None:
        """Send one payload, compressed as zlib-stream."""
        text = json.dumps({"op": op, "d": data, "s": sequence, "t": event}).encode()
        await self.socket.send_bytes(self.compressor.compress(text) + self.compressor.flush(zlib.Z_SYNC_FLUSH))


@dataclass(slots=True, kw_only=True)
class Gateway:
    """Everybody who listens; `url` is what clients are told to resume at, `token` the only one that is let in.

    Every client that listens hears every event, as several with one token do.
    """

    backend: Backend
    token: str
    url: str = ""
    sessions: dict[str, Session] = field(default_factory=dict)
    identified: int = 0
    resumed: int = 0
    intents: set[int] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, from hello to its end."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        line = Line(socket)
        await line.send(_HELLO, {"heartbeat_interval": _HEARTBEAT_MS})
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._hear(line, json.loads(message.data))
        return socket

    async def send(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to every session; who has no line now hears it when it resumes."""
        for session in list(self.sessions.values()):
            await session.send(event, self._with_files(payload))

    async def drop(self, code: int = 4000) -> None:
        """Cut every line, as a network does, or for the reason that `code` stands for; sessions stay."""
        for session in self.sessions.values():
            if session.line is not None:
                line, session.line = session.line, None
                await line.socket.close(code=code)

    @property
    def files(self) -> str:
        """Where attachments lie."""
        return self.url.replace("ws://", "http://").removesuffix("/gateway")

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens."""
        return any(session.is_heard for session in self.sessions.values())

    def _with_files(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload with the addresses under which its files are found here."""
        found: dict[str, Any] = json.loads(json.dumps(payload).replace("https://cdn.simcord.invalid", self.files))
        return found

    async def _hear(self, line: Line, payload: dict[str, Any]) -> None:
        match payload["op"]:
            case 1:
                await line.send(_ACK, None)
            case 2:
                await self._identify(line, payload["d"])
            case 6:
                await self._resume(line, payload["d"])

    async def _identify(self, line: Line, data: dict[str, Any]) -> None:
        if data["token"] != self.token:
            await line.socket.close(code=4004)
            return
        self.identified += 1
        self.intents.add(data["intents"])
        session = Session(id=f"session-{self.identified}", line=line)
        # One that nobody is connected to any more is not resumed: its client has just begun again.
        self.sessions = {id_: other for id_, other in self.sessions.items() if other.is_heard} | {session.id: session}
        guilds = list(self.backend.guilds.values())
        await session.send(
            "READY",
            {
                "v": 10,
                "user": dict(serializers.user_payload(self.backend.bot_user)),
                "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
                "session_id": session.id,
                "resume_gateway_url": self.url,
                "shard": data.get("shard", [0, 1]),
                "application": {"id": str(self.backend.application_id), "flags": 0},
            },
        )
        for guild in guilds:
            await session.send("GUILD_CREATE", self._with_files(serializers.guild_create_payload(self.backend, guild)))

    async def _resume(self, line: Line, data: dict[str, Any]) -> None:
        session = self.sessions.get(data["session_id"])
        if session is None:
            await line.send(_INVALID, False)
            return
        self.resumed += 1
        session.line = line
        for sequence, (event, payload) in enumerate(session.sent[data["seq"] :], data["seq"] + 1):
            await line.send(_DISPATCH, payload, sequence, event)
        await line.send(_DISPATCH, {}, len(session.sent), "RESUMED")
