"""A server on loopback that answers as Civitai and Hugging Face document, and as the stores behind them do."""

import hashlib
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

BYTES = bytes(range(256)) * 4096


class Site:
    """Both sources and their store, whose only file is `data`; each test changes what is answered."""

    def __init__(self, data: bytes = BYTES) -> None:
        self.data = data
        self.version: dict[str, Any] = {}
        self.model = {"name": "Fox", "type": "LORA", "allowCommercialUse": ["Rent"], "modelVersions": [{"id": 34}]}
        self.file = {
            "primary": True,
            "hashes": {"SHA256": hashlib.sha256(data).hexdigest().upper()},
            "virusScanResult": "Success",
        }
        self.names = ["adapter_config.json", "fox.safetensors"]
        self.status = 200
        self.revision: str | None = None
        self.headers: dict[str, str] = {}
        self.location = ""
        self.authorizations: dict[str, str | None] = {}
        self.broken = 0
        self.ranges: list[str | None] = []

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/v1/models/12", self._model)
        app.router.add_get("/api/v1/model-versions/34", self._version)
        app.router.add_get("/api/download/models/34", self._download)
        app.router.add_get("/api/models/owner/name", self._repository)
        app.router.add_get("/api/models/owner/name/revision/{revision:.+}", self._repository)
        app.router.add_get("/owner/name/resolve/{commit}/{name:.+}", self._resolved)
        app.router.add_get("/signed", self._signed)
        app.router.add_get("/loop", self._loop)
        app.router.add_get("/endless", self._endless)
        app.router.add_get("/page", self._page)
        app.router.add_get("/gzip", self._gzip)
        self.server = TestServer(app, host="127.0.0.1")
        await self.server.start_server()
        self.base = f"http://127.0.0.1:{self.server.port}"
        self.location = f"http://localhost:{self.server.port}/signed?signature=hush"

    async def _model(self, request: web.Request) -> web.Response:
        return web.json_response(self.model, status=self.status, headers=self.headers)

    async def _version(self, request: web.Request) -> web.Response:
        file = {"name": "fox.safetensors", "downloadUrl": f"{self.base}/api/download/models/34", **self.file}
        body = {"id": 34, "modelId": 12, "name": "v1", "baseModel": "SDXL 1.0", "nsfwLevel": 4, "trainedWords": ["fox"]}
        return web.json_response({**body, "files": [file], **self.version}, status=self.status, headers=self.headers)

    async def _download(self, request: web.Request) -> web.Response:
        self.authorizations["download"] = request.headers.get("Authorization")
        return web.Response(status=307, headers={"Location": self.location})

    async def _repository(self, request: web.Request) -> web.Response:
        self.revision = request.match_info.get("revision")
        body = {"id": "owner/name", "sha": "c0ffee", "siblings": [{"rfilename": name} for name in self.names]}
        return web.json_response(body, status=self.status, headers=self.headers)

    async def _resolved(self, request: web.Request) -> web.Response:
        assert request.match_info["commit"] == "c0ffee"
        return web.Response(body=b'{"r": 4}' if request.match_info["name"].endswith("json") else self.data)

    async def _signed(self, request: web.Request) -> web.StreamResponse:
        self.authorizations["signed"] = request.headers.get("Authorization")
        self.ranges.append(request.headers.get("Range"))
        start = request.http_range.start or 0
        answer = web.StreamResponse(status=206 if start else 200, headers={"ETag": '"one"'})
        if start:
            answer.headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        answer.content_length = len(self.data) - start
        await answer.prepare(request)
        end = len(self.data)
        if self.broken:
            self.broken -= 1
            end = start + 300_000
        await answer.write(self.data[start:end])
        if end < len(self.data) and request.transport is not None:
            request.transport.close()
        return answer

    async def _loop(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/loop"})

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await answer.write(self.data)
        return answer

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text="<html>login</html>", content_type="text/html")

    async def _gzip(self, request: web.Request) -> web.Response:
        return web.Response(body=b"x", headers={"Content-Encoding": "gzip"})
