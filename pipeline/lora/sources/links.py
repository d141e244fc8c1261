"""What a member's link to a LoRA means, without asking any server."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from pipeline.errors import UserError

CIVITAI_HOSTS: Final = frozenset({"civitai.com", "www.civitai.com", "civitai.red", "civitai.green"})
HUGGING_FACE_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_AIR: Final = re.compile(r"urn:air:\w+:\w+:civitai:(\d{1,12})(?:@(\d{1,12}))?(?:\.\w+)?", re.ASCII | re.IGNORECASE)
_REPOSITORY: Final = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)
_REVISION: Final = re.compile(r"[\w][\w./-]{0,127}", re.ASCII)
_MODEL_PATH: Final = re.compile(r"/(?:api/v1/)?models/(\d{1,12})(?:/[^/]*)?/?", re.ASCII)
_VERSION_PATH: Final = re.compile(r"/api/(?:download/models|v1/model-versions)/(\d{1,12})/?", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,12}", re.ASCII)
_MAX_LENGTH: Final = 2000
_UNKNOWN: Final = "This is not a link to a LoRA; use a Civitai page, a Hugging Face repository or a .safetensors link."


@dataclass(frozen=True, slots=True, kw_only=True)
class CivitaiLink:
    """A model or a version on Civitai; at least one of the two numbers is known."""

    model: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceLink:
    """A repository `owner/name`, with the file and the revision that the link names."""

    repository: str
    file: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLink:
    """A plain https link to a .safetensors file; the download decides whether its host is allowed."""

    url: str


Link = CivitaiLink | HuggingFaceLink | FileLink


def read_link(text: str) -> Link:
    """Parse a link: a page or an AIR of Civitai, a repository or a file of Hugging Face, or a plain link.

    Args:
        text: as a member wrote it.

    Returns:
        What it points at; nothing is opened.

    Raises:
        UserError: it is no link to a LoRA; the sentence never repeats it.
    """
    text = text.strip().removeprefix("<").removesuffix(">")
    if len(text) > _MAX_LENGTH or not text.isprintable():
        raise UserError(_UNKNOWN)
    if match := _AIR.fullmatch(text):
        return CivitaiLink(model=int(match[1]), version=int(match[2]) if match[2] else None)
    known = "|".join(re.escape(host) for host in sorted(CIVITAI_HOSTS | HUGGING_FACE_HOSTS))
    if re.match(rf"({known})/", text, re.IGNORECASE):
        text = f"https://{text}"
    if "://" not in text:
        return _repository(text)
    try:
        parts = urlsplit(text)
        host, port, user = (parts.hostname or "").lower(), parts.port, parts.username
    except ValueError:
        raise UserError(_UNKNOWN) from None
    if parts.scheme != "https" or user is not None or port not in {None, 443}:
        raise UserError("Only plain https links are read, without a user or a port; use the page's own address.")
    if host in CIVITAI_HOSTS:
        return _civitai(parts.path, parts.query)
    if host in HUGGING_FACE_HOSTS:
        return _hugging_face(unquote(parts.path))
    if parts.path.lower().endswith(".safetensors"):
        return FileLink(url=text)
    raise UserError(_UNKNOWN)


def _civitai(path: str, query: str) -> CivitaiLink:
    version = parse_qs(query).get("modelVersionId", [""])[0]
    if match := _MODEL_PATH.fullmatch(path):
        return CivitaiLink(model=int(match[1]), version=int(version) if _NUMBER.fullmatch(version) else None)
    if match := _VERSION_PATH.fullmatch(path):
        return CivitaiLink(version=int(match[1]))
    raise UserError("This Civitai link names no model; use the address of the model's page.")


def _hugging_face(path: str) -> HuggingFaceLink:
    parts = [part for part in path.split("/") if part]
    if len(parts) == 2:
        return _repository("/".join(parts))
    repository = _repository("/".join(parts[:2])).repository
    match parts[2:]:
        case ["blob" | "resolve", revision, *rest] if rest:
            return HuggingFaceLink(repository=repository, file=_file("/".join(rest)), revision=_revision(revision))
        case ["tree", revision]:
            return HuggingFaceLink(repository=repository, revision=_revision(revision))
    raise UserError("This Hugging Face link names no model; use owner/name or the link of a file in it.")


def _repository(text: str) -> HuggingFaceLink:
    name, at, revision = text.partition("@")
    if not _REPOSITORY.fullmatch(name) or ".." in name or "--" in name:
        raise UserError(_UNKNOWN)
    return HuggingFaceLink(repository=name, revision=_revision(revision) if at else None)


def _revision(text: str) -> str:
    if not _REVISION.fullmatch(text) or ".." in text:
        raise UserError("This revision is not one of Hugging Face; use a branch, a tag or a commit.")
    return text


def _file(path: str) -> str:
    if not path.isprintable():
        raise UserError(_UNKNOWN)
    if not path.lower().endswith(".safetensors") or ".." in path.split("/"):
        raise UserError("This file is not .safetensors; other formats can run code, so use its .safetensors version.")
    return path
