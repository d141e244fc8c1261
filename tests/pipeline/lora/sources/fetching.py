"""Downloads from the site of the tests."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.lora.sources.download import Downloader, DownloadSource, Limits
from pipeline.lora.sources.fetched import FetchedFile
from pipeline.lora.sources.keys import SourceKeys
from pipeline.lora.sources.sources import LoraSources
from tests.pipeline.lora.sources.site import BYTES, Site

HASH = hashlib.sha256(BYTES).hexdigest()
KEYS = SourceKeys(civitai="civitai-secret", hugging_face="hf-secret")
HOSTS = frozenset({"127.0.0.1", "localhost"})


async def fetch(site: Site, folder: Path, link: str = "https://civitai.com/models/12", **how: Any) -> FetchedFile:
    sources = LoraSources(
        civitai_base=site.base, hugging_face_base=site.base, **{"more_hosts": HOSTS, "loopback": True, **how}
    )
    return await sources.fetch(link, folder, KEYS, lambda done, total: None)


def downloader(*, loopback: bool = True, **limits: Any) -> Downloader:
    return Downloader(place=DownloadSource(name="Shop", hosts=HOSTS, loopback=loopback), limits=Limits(**limits))


async def get(site: Site, folder: Path, path: str, **how: Any) -> tuple[int, str]:
    return await downloader(**how).file(f"{site.base}{path}", folder / "x", progress=lambda done, total: None)
