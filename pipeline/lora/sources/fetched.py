"""A downloaded file and what its source says of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A downloaded LoRA file at `path`; its hash is checked where the source states one.

    `file_name` is the source's own name for it, `title` the page's; `page` is the address that a member may open.
    `base_model`, `licence` and `rating` are the page's words, cleaned, None where it has none; `nsfw` is set where the
    source rates it as not safe for everyone. `adapter_config` is the text of the PEFT configuration beside the file.
    """

    path: Path
    size: int
    sha256: str
    file_name: str
    title: str
    page: str
    base_model: str | None = None
    trigger_words: tuple[str, ...] = ()
    licence: str | None = None
    rating: str | None = None
    nsfw: bool = False
    adapter_config: str | None = None


def cleaned(text: str | None) -> str | None:
    """Untrusted text on one line.

    Args:
        text: of any length; None is empty.

    Returns:
        At most 200 printable characters; None if nothing is left.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in (text or "")[:2000]).split())[:200].strip() or None
