"""What a member's link to a LoRA means, without asking any server."""

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from pipeline.errors import UserError

CIVITAI_HOSTS: Final = frozenset({"civitai.com", "civitai.red", "civitai.green"})
HUGGING_FACE_HOSTS: Final = frozenset({"huggingface.co", "hf.co"})
_AIR: Final = re.compile(
    r"(?:urn:)?(?:air:)?(?:[\w.-]+:){0,2}civitai:(\d{1,12})(?:@(\d{1,12}))?(?:[.:][\w.:-]+)?", re.ASCII | re.IGNORECASE
)
_AIR_OF_HUGGING_FACE: Final = re.compile(
    r"(?:urn:)?(?:air:)?(?:[\w.-]+:){0,2}hugging_?face:(?P<name>[^:@]+)(?:@(?P<revision>[^:]+))?(?::(?P<file>[^:]+))?",
    re.ASCII | re.IGNORECASE,
)
_NUMBERS: Final = re.compile(r"(\d{1,12})@(\d{1,12})", re.ASCII)
_REPOSITORY: Final = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)
_REVISION: Final = re.compile(r"[\w][\w./-]{0,127}", re.ASCII)
_PULL: Final = re.compile(r"(refs/(?:pr/\d+|heads/[^/]+|convert/[^/]+))(?:/(.+))?", re.ASCII)
_MODEL_PATH: Final = re.compile(r"/(?:[a-z]{2}/)?(?:api/v1/)?models/(\d{1,12})(?:/[^/]*)?/?", re.ASCII)
_VERSION_PATH: Final = re.compile(
    r"/(?:[a-z]{2}/)?(?:api/download/models|(?:api/v1/)?model-versions)/(\d{1,12})/?", re.ASCII
)
_MARKDOWN: Final = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_NUMBER: Final = re.compile(r"\d{1,12}", re.ASCII)
_WISH: Final = re.compile(r"[\w .-]{1,32}", re.ASCII)
_MAX_LENGTH: Final = 2000
_UNKNOWN: Final = (
    "This is not a link to a LoRA; use a Civitai page, a Hugging Face repository or a .safetensors link, "
    "or give the file itself with --file."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWish:
    """Which of a version's files a link asks for, in Civitai's own words; None is any."""

    id: int | None = None
    type: str | None = None
    format: str | None = None
    size: str | None = None
    fp: str | None = None

    @property
    def words(self) -> str:
        """The wish for people."""
        return ", ".join(str(word) for word in (self.type, self.format, self.size, self.fp, self.id) if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class CivitaiLink:
    """A model or a version on Civitai; at least one of the two numbers is known. `wish` is for one of its files."""

    model: int | None = None
    version: int | None = None
    wish: FileWish = FileWish()


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceLink:
    """A repository `owner/name`, with the file or the folder and the revision that the link names."""

    repository: str
    file: str | None = None
    folder: str | None = None
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
    if match := _MARKDOWN.fullmatch(text):
        text = match[1]
    if match := _AIR.fullmatch(text) or _NUMBERS.fullmatch(text):
        return CivitaiLink(model=int(match[1]), version=int(match[2]) if match[2] else None)
    if match := _AIR_OF_HUGGING_FACE.fullmatch(text):
        return _air_of_hugging_face(match)
    if text.lower().startswith("hf://"):
        return _hugging_face(_path_of_scheme(text[5:]))
    known = "|".join(re.escape(host) for host in sorted(CIVITAI_HOSTS | HUGGING_FACE_HOSTS))
    if re.match(rf"(www\.)?({known})/", text, re.IGNORECASE):
        text = f"https://{text}"
    return _url(text) if "://" in text else _repository(text)


def _url(text: str) -> Link:
    try:
        parts = urlsplit(text)
        host, port, user = (parts.hostname or "").lower(), parts.port, parts.username
    except ValueError:
        raise UserError(_UNKNOWN) from None
    if parts.scheme != "https" or user is not None or port not in {None, 443}:
        raise UserError("Only plain https links are read, without a user or a port; use the page's own address.")
    plain_host = host.removeprefix("www.")
    if plain_host in CIVITAI_HOSTS:
        return _civitai(parts.path, parse_qs(parts.query))
    if plain_host in HUGGING_FACE_HOSTS:
        # Split before it is decoded: a revision may hold a slash, written as %2F.
        return _hugging_face([unquote(part) for part in parts.path.split("/") if part])
    if parts.path.lower().endswith(".safetensors"):
        return FileLink(url=text)
    raise UserError(_UNKNOWN)


def _civitai(path: str, query: dict[str, list[str]]) -> CivitaiLink:
    version = query.get("modelVersionId", [""])[0]
    if match := _MODEL_PATH.fullmatch(path):
        return CivitaiLink(model=int(match[1]), version=int(version) if _NUMBER.fullmatch(version) else None)
    if match := _VERSION_PATH.fullmatch(path):
        return CivitaiLink(version=int(match[1]), wish=_wish({name.lower(): own[0] for name, own in query.items()}))
    raise UserError("This Civitai link names no model; use the address of the model's page.")


def _wish(query: dict[str, str]) -> FileWish:
    number, words = query.get("fileid", ""), {name: query.get(name, "") for name in ("type", "format", "size", "fp")}
    if any(word and not _WISH.fullmatch(word) for word in words.values()):
        raise UserError("This Civitai link asks for a file in words that Civitai does not use; copy it again.")
    # Every LoRA's weights are of this type.
    stated = {name: word for name, word in words.items() if word and word.casefold() != "model"}
    return FileWish(id=int(number) if _NUMBER.fullmatch(number) else None, **stated)


def _air_of_hugging_face(match: re.Match[str]) -> HuggingFaceLink:
    parts = match["name"].split("/")
    revision = f"@{match['revision']}" if match["revision"] else ""
    found = _repository("/".join(parts[:2]) + revision)
    file = "/".join((*parts[2:], *filter(None, (match["file"],))))
    return replace(found, file=_file(file)) if file else found


def _path_of_scheme(text: str) -> list[str]:
    """The parts of `owner/name@revision/file`, as those of a page's address."""
    owner, _, rest = text.partition("/")
    name, _, file = rest.partition("/")
    name, at, revision = name.partition("@")
    if not file:
        return [owner, f"{name}{at}{unquote(revision)}"]
    return [owner, name, "resolve", unquote(revision) or "main", *file.split("/")]


def _hugging_face(parts: list[str]) -> HuggingFaceLink:
    repository = _repository("/".join(parts[:2]))
    match parts[2:]:
        case []:
            return repository
        case ["blob" | "resolve" | "raw" | "blame", *rest] if len(rest) > 1:
            revision, path = _revision_and_path(rest)
            return HuggingFaceLink(repository=repository.repository, file=_file(path), revision=revision)
        case ["tree" | "commit" | "commits", *rest] if rest:
            revision, path = _revision_and_path(rest)
            return HuggingFaceLink(repository=repository.repository, folder=_folder(path), revision=revision)
    raise UserError("This Hugging Face link names no model; use owner/name or the link of a file in it.")


def _revision_and_path(parts: list[str]) -> tuple[str, str]:
    """Git's own names of references hold slashes, which a page's address may leave as they are."""
    if match := _PULL.fullmatch("/".join(parts)):
        return _revision(match[1]), match[2] or ""
    return _revision(parts[0]), "/".join(parts[1:])


def _folder(path: str) -> str | None:
    if not path.isprintable() or ".." in path.split("/"):
        raise UserError(_UNKNOWN)
    return path or None


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
