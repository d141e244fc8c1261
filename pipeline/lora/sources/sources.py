"""From a member's link to a file on disk."""

from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

from pipeline.errors import UserError
from pipeline.lora.sources import civitai, hugging_face
from pipeline.lora.sources.civitai import Civitai
from pipeline.lora.sources.download import Downloader, DownloadProgress, DownloadSource, Limits
from pipeline.lora.sources.fetched import FetchedFile, cleaned
from pipeline.lora.sources.hugging_face import HuggingFace
from pipeline.lora.sources.keys import SourceKeys
from pipeline.lora.sources.links import CivitaiLink, FileLink, HuggingFaceLink, read_link

_LONGEST = 200


class LoraSources:
    """The sources of one installation.

    Args:
        limits: of each download.
        file_hosts: the hosts that plain links may use; `.example.org` stands for every host below.
        more_hosts: further hosts for Civitai and Hugging Face, such as mirrors of their files.
        civitai_base: where Civitai is.
        hugging_face_base: where Hugging Face is.
        loopback: for tests: allow this machine's own addresses, and http to them.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        file_hosts: frozenset[str] = frozenset(),
        more_hosts: frozenset[str] = frozenset(),
        civitai_base: str = civitai.BASE,
        hugging_face_base: str = hugging_face.BASE,
        loopback: bool = False,
    ) -> None:
        def downloader(name: str, hosts: frozenset[str], base: str = "") -> Downloader:
            place = DownloadSource(name=name, hosts=hosts | {(urlsplit(base).hostname or "")} - {""}, loopback=loopback)
            return Downloader(place=place, limits=limits or Limits())

        self._civitai = Civitai(
            downloader=downloader(civitai.NAME, civitai.HOSTS | more_hosts, civitai_base), base=civitai_base
        )
        self._hugging_face = HuggingFace(
            downloader=downloader(hugging_face.NAME, hugging_face.HOSTS | more_hosts, hugging_face_base),
            base=hugging_face_base,
        )
        self._files = downloader("This link", file_hosts)

    async def fetch(self, link: str, folder: Path, keys: SourceKeys, progress: DownloadProgress) -> FetchedFile:
        """Download the LoRA file of a link.

        Args:
            link: as a member wrote it.
            folder: the caller's own, and empty.
            keys: the guild's.
            progress: called with the bytes so far and their total, None while that is unknown.

        Returns:
            The file, and what its source says.

        Raises:
            UserError: one sentence of at most 200 characters, without a key or a signed link.
        """
        try:
            return await self._fetch(link, folder, keys, progress)
        except UserError as error:
            raise UserError(str(error)[:_LONGEST]) from None

    async def _fetch(self, link: str, folder: Path, keys: SourceKeys, progress: DownloadProgress) -> FetchedFile:
        match read_link(link):
            case CivitaiLink() as there:
                return await self._civitai.fetch(there, folder, key=keys.civitai, progress=progress)
            case HuggingFaceLink() as there:
                return await self._hugging_face.fetch(there, folder, key=keys.hugging_face, progress=progress)
            case FileLink(url=url):
                return await self._file(url, folder, progress)
            case there:
                assert_never(there)

    async def _file(self, url: str, folder: Path, progress: DownloadProgress) -> FetchedFile:
        path = folder / "file.safetensors"
        size, sha256 = await self._files.file(url, path, progress=progress)
        page = url.partition("?")[0].partition("#")[0]
        name = cleaned(page.rpartition("/")[2]) or path.name
        return FetchedFile(path=path, size=size, sha256=sha256, file_name=name, title=name, page=page)
