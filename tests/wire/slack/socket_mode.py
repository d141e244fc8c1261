"""The fake Slack's Socket Mode: envelopes over a WebSocket, each to be acknowledged within three seconds."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

ACK_SECONDS: Final = 3.0

_numbers = itertools.count(1)


@dataclass(slots=True)
class SocketMode:
    """The app's open connections; an envelope goes to any one of them."""

    violations: list[str]
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: list[web.WebSocketResponse] = field(default_factory=list)
    _acks: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it closes."""
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        await connection.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A111"}})
        self._connections.append(connection)
        self.connected.set()
        async for message in connection:
            answer = json.loads(message.data)
            ack = self._acks.pop(answer.get("envelope_id", ""), None)
            if ack is None:
                self.violations.append(f"an acknowledgement for an envelope that waits for none: {answer}")
            elif not ack.done():
                ack.set_result(answer.get("payload") or {})
        self._connections.remove(connection)
        if not self._connections:
            self.connected.clear()
        return connection

    async def send(
        self, kind: str, payload: dict[str, Any], *, retry: int = 0, envelope_id: str = ""
    ) -> dict[str, Any]:
        """Send an envelope and return what the acknowledgement carried."""
        await self.connected.wait()
        envelope_id = envelope_id or f"envelope-{next(_numbers)}"
        ack: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._acks[envelope_id] = ack
        envelope: dict[str, Any] = {
            "type": kind, "envelope_id": envelope_id, "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }  # fmt: skip
        if kind == "events_api":
            envelope |= {"retry_attempt": retry, "retry_reason": "timeout" if retry else ""}
        await self._connections[next(_numbers) % len(self._connections)].send_json(envelope)
        try:
            return await asyncio.wait_for(ack, ACK_SECONDS)
        except TimeoutError:
            self.violations.append(
                f"{kind} {payload.get('command') or payload.get('type')} was not acknowledged in time"
            )
            raise

    async def ask_to_reconnect(self) -> None:
        """Close every connection as Slack does every few hours."""
        for connection in list(self._connections):
            await connection.send_json({"type": "disconnect", "reason": "refresh_requested"})
            await connection.close()

    async def close(self) -> None:
        """Close every connection for good."""
        for connection in list(self._connections):
            await connection.close()
