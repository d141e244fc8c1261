"""LoRA files of Civitai, by its public REST interface, version 1 (developer.civitai.com)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from pipeline.errors import UserError
from pipeline.lora.sources.download import Downloader, DownloadProgress
from pipeline.lora.sources.fetched import FetchedFile, cleaned
from pipeline.lora.sources.links import CivitaiLink, FileWish

NAME: Final = "Civitai"
HOSTS: Final = frozenset({"civitai.com", ".civitai.com", ".r2.cloudflarestorage.com", ".backblazeb2.com"})
BASE: Final = "https://civitai.com"
_TYPES: Final = frozenset({"lora", "locon", "dora"})
# The bits of nsfwLevel, from harmless to worst; 32 means that Civitai itself has blocked it.
_RATINGS: Final = ((32, "Blocked"), (16, "XXX"), (8, "X"), (4, "R"), (2, "PG-13"), (1, "PG"))
_NSFW: Final = 4 | 8 | 16 | 32
_WORDS: Final = 32


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class _Format(_Answer):
    format: str | None = None
    size: str | None = None
    fp: str | None = None


class _Hashes(BaseModel):
    SHA256: str | None = None


class _File(_Answer):
    id: int | None = None
    name: str
    type: str = "Model"
    primary: bool | None = None
    metadata: _Format = _Format()
    hashes: _Hashes = _Hashes()
    pickle_scan_result: str | None = None
    virus_scan_result: str | None = None
    download_url: str

    @property
    def is_weights(self) -> bool:
        safetensors = self.metadata.format == "SafeTensor" or self.name.lower().endswith(".safetensors")
        return safetensors and self.type in {"Model", "Pruned Model"}

    def fits(self, wish: FileWish) -> bool:
        """Whether it is the file that a link asks for.

        Args:
            wish: of the link.

        Returns:
            Whether it has all that the link names.
        """
        pairs = (
            (wish.type, self.type),
            (wish.format, self.metadata.format),
            (wish.size, self.metadata.size),
            (wish.fp, self.metadata.fp),
        )
        words = all(asked is None or asked.casefold() == (own or "").casefold() for asked, own in pairs)
        return words and wish.id in {None, self.id}


class _Version(_Answer):
    id: int
    model_id: int
    name: str = ""
    base_model: str | None = None
    availability: str | None = None
    early_access_ends_at: AwareDatetime | None = None
    usage_control: str | None = None
    nsfw_level: int = 0
    trained_words: tuple[str, ...] | None = None
    files: tuple[_File, ...] = ()


class _Named(_Answer):
    id: int


class _Model(_Answer):
    name: str
    type: str
    nsfw: bool = False
    poi: bool = False
    minor: bool = False
    allow_no_credit: bool | None = None
    allow_commercial_use: tuple[str, ...] | str | None = None
    allow_derivatives: bool | None = None
    model_versions: tuple[_Named, ...] = ()


_Kind = TypeVar("_Kind", bound=_Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Civitai:
    """Civitai's REST interface at `base`, reached by `downloader`."""

    downloader: Downloader
    base: str = BASE

    async def fetch(
        self, link: CivitaiLink, folder: Path, *, key: str | None, progress: DownloadProgress
    ) -> FetchedFile:
        """Download the LoRA of a link.

        Args:
            link: a version, or a model, of which the first version that Civitai lists is taken.
            folder: where the file goes.
            key: the guild's, sent to Civitai alone; None without one.
            progress: called with the bytes so far and their total, if known.

        Returns:
            The file, and what its page says.

        Raises:
            UserError: why it may not be had.
        """
        if (number := link.version) is None:
            versions = (await self._ask(f"models/{link.model}", _Model, key)).model_versions
            if not versions:
                raise UserError("This Civitai model has no published version; choose another.")
            number = versions[0].id
        version = await self._ask(f"model-versions/{number}", _Version, key)
        if link.model not in {None, version.model_id}:
            raise UserError("This version is not one of this Civitai model; copy the link from the page again.")
        model = await self._ask(f"models/{version.model_id}", _Model, key)
        file = _choose(model, version, link.wish)
        path = folder / "civitai.safetensors"
        stated = file.hashes.SHA256
        own = key if file.download_url.startswith(f"{self.base}/") else None
        size, found = await self.downloader.file(file.download_url, path, progress=progress, key=own, sha256=stated)
        return FetchedFile(
            path=path,
            size=size,
            sha256=found,
            file_name=cleaned(file.name) or "civitai.safetensors",
            title=cleaned(f"{model.name} {version.name}") or "Civitai LoRA",
            page=f"{BASE}/models/{version.model_id}?modelVersionId={version.id}",
            base_model=cleaned(version.base_model),
            trigger_words=tuple(word for raw in (version.trained_words or ())[:_WORDS] if (word := cleaned(raw))),
            licence=_licence(model),
            rating=next((name for bit, name in _RATINGS if version.nsfw_level & bit), None),
            nsfw=model.nsfw or bool(version.nsfw_level & _NSFW),
        )

    async def _ask(self, path: str, kind: type[_Kind], key: str | None) -> _Kind:
        body = await self.downloader.small(f"{self.base}/api/v1/{path}", key=key)
        try:
            return kind.model_validate_json(body)
        except ValidationError:
            raise UserError("Civitai's answer cannot be read; try again later, or upload the file.") from None


def _choose(model: _Model, version: _Version, wish: FileWish) -> _File:
    """The file to download; raises UserError if the page's own words forbid it."""
    if model.type.lower() not in _TYPES:
        raise UserError(f"This is a {cleaned(model.type)} on Civitai, not a LoRA; choose a page of type LoRA.")
    if model.poi or model.minor:
        raise UserError("Civitai marks this LoRA as showing a real person or a minor; it is not added.")
    if version.nsfw_level & 32:
        raise UserError("Civitai has blocked this LoRA; choose another.")
    ends = version.early_access_ends_at
    if (ends is None and version.availability == "EarlyAccess") or (ends is not None and ends > datetime.now(UTC)):
        until = f" until {ends:%Y-%m-%d}" if ends else ""
        raise UserError(f"This version is in early access on Civitai{until}; choose an older one or wait.")
    if version.usage_control not in {None, "Download"}:
        raise UserError("Its maker lets Civitai alone use this LoRA, not download it; choose another.")
    files = [file for file in version.files if file.is_weights]
    if not files:
        raise UserError("This version has no .safetensors file on Civitai; choose another version.")
    fitting = [file for file in files if file.fits(wish)]
    if not fitting:
        raise UserError(
            f"This version has no .safetensors file on Civitai that is {wish.words}; copy the link from its page again."
        )
    file = next((file for file in fitting if file.primary), fitting[0])
    scans = {file.pickle_scan_result or "Success", file.virus_scan_result or "Success"}
    if "Danger" in scans:
        raise UserError("Civitai's scan calls this file dangerous; it is not downloaded.")
    if scans != {"Success"}:
        raise UserError(
            "Civitai's scan of this file is not done or failed; try again when the page shows it as checked."
        )
    return file


def _licence(model: _Model) -> str | None:
    uses = model.allow_commercial_use
    words = []
    if model.allow_no_credit is not None:
        words.append("no credit needed" if model.allow_no_credit else "credit the creator")
    if uses is not None:
        words.append("commercial use: " + (uses if isinstance(uses, str) else ", ".join(uses) or "None"))
    if model.allow_derivatives is not None:
        words.append("derivatives allowed" if model.allow_derivatives else "no derivatives")
    return cleaned("; ".join(words))
