"""LoRA files of the Hugging Face Hub: its library lists the files, our downloader brings the bytes."""

import asyncio
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import httpx2  # the client that the library raises the errors of
import huggingface_hub as hub
from huggingface_hub import errors

from pipeline.errors import UserError
from pipeline.lora.sources.download import Downloader, DownloadProgress, refuse_status
from pipeline.lora.sources.fetched import FetchedFile, cleaned
from pipeline.lora.sources.links import HuggingFaceLink

NAME: Final = "Hugging Face"
HOSTS: Final = frozenset({"huggingface.co", ".huggingface.co", "hf.co", ".hf.co"})
BASE: Final = "https://huggingface.co"
_USUAL: Final = frozenset({"pytorch_lora_weights.safetensors", "adapter_model.safetensors"})
_NAMED: Final = 5
_CONFIG_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFace:
    """The Hub at `base`, reached by `downloader`."""

    downloader: Downloader
    base: str = BASE

    async def fetch(
        self, link: HuggingFaceLink, folder: Path, *, key: str | None, progress: DownloadProgress
    ) -> FetchedFile:
        """Download the LoRA of a link, at the commit that its revision names now.

        Args:
            link: a repository, or a file in it.
            folder: where the file goes.
            key: the guild's, sent to the Hub alone; None without one.
            progress: called with the bytes so far and their total, if known.

        Returns:
            The file, and what its repository says.

        Raises:
            UserError: why it may not be had.
        """
        info = await asyncio.to_thread(self._info, link, key)
        commit = info.sha or ""
        files = {file.rfilename: file for file in info.siblings or ()}
        name = link.file or _choose(list(files), link.folder)
        if name not in files:
            raise UserError("This Hugging Face repository has no such file at this revision; check the link.")
        lfs = files[name].lfs
        path = folder / "hugging_face.safetensors"
        size, found = await self.downloader.file(
            self._url(link, name, commit), path, progress=progress, key=key, sha256=lfs.sha256 if lfs else None
        )
        config = str(PurePosixPath(name).with_name("adapter_config.json"))
        body = b""
        if config in files:
            body = await self.downloader.small(self._url(link, config, commit), key=key, size=_CONFIG_BYTES)
        card = info.card_data
        nsfw = "not-for-all-audiences" in (info.tags or ())
        return FetchedFile(
            path=path,
            size=size,
            sha256=found,
            file_name=cleaned(PurePosixPath(name).name) or "hugging_face.safetensors",
            title=link.repository,
            page=f"{BASE}/{link.repository}/tree/{commit}",
            base_model=_words(card, "base_model"),
            trigger_words=tuple(word for word in (_words(card, "instance_prompt"),) if word),
            licence=_words(card, "license"),
            rating="Not for all audiences" if nsfw else None,
            nsfw=nsfw,
            adapter_config=body.decode(errors="replace") or None,
        )

    def _info(self, link: HuggingFaceLink, key: str | None) -> hub.ModelInfo:
        """The repository at the commit that its revision means now; no key of this machine's own user is sent."""
        api = hub.HfApi(endpoint=self.base, token=key or False)
        seconds = self.downloader.limits.silence
        try:
            return api.model_info(link.repository, revision=link.revision, files_metadata=True, timeout=seconds)
        except errors.GatedRepoError:
            raise UserError(
                f"{link.repository} is gated on Hugging Face; ask for access on its page, with the key's account."
            ) from None
        except errors.RevisionNotFoundError:
            raise UserError("This Hugging Face repository has no such revision; check the link.") from None
        except errors.RepositoryNotFoundError:
            raise UserError(
                "Hugging Face shows no such repository; check its name, or add a key if it is private."
            ) from None
        except errors.HfHubHTTPError as error:
            answer = error.response
            refuse_status(NAME, answer.status_code, answer.headers.get("Retry-After"))
            raise
        except (OSError, ValueError, httpx2.HTTPError):
            raise UserError("Hugging Face cannot be reached; try again later.") from None

    def _url(self, link: HuggingFaceLink, name: str, commit: str) -> str:
        return hub.hf_hub_url(link.repository, name, revision=commit, endpoint=self.base)


def _choose(names: list[str], folder: str | None) -> str:
    """The one LoRA file among a repository's `names`; raises UserError that asks for which, or says there is none."""
    start = f"{folder.strip('/')}/" if folder else ""
    files = [name for name in sorted(names) if name.lower().endswith(".safetensors") and name.startswith(start)]
    usual = [name for name in files if name.removeprefix(start) in _USUAL]
    if len(chosen := usual or files) == 1:
        return chosen[0]
    if not files and folder:
        raise UserError("This folder of the Hugging Face repository has no .safetensors file; check the link.")
    if not files:
        raise UserError("This Hugging Face repository has no .safetensors file; other formats can run code.")
    listed = ""
    for name in chosen[:_NAMED]:
        if len(listed) + len(name) <= 110:
            listed += f"{', ' * bool(listed)}{cleaned(name)}"
    raise UserError(f"There are {len(chosen)} files here; give the link of one: {listed or 'see Files on the page'}.")


def _words(card: hub.ModelCardData | None, name: str) -> str | None:
    value = getattr(card, name, None)
    return cleaned(", ".join(map(str, value)) if isinstance(value, list) else str(value)) if value else None
