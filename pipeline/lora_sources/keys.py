"""The keys of one guild for the places that LoRA files come from."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKeys:
    """A guild's keys, None where it has none; they are sent to their own source alone and are in no text of it."""

    civitai: str | None = field(default=None, repr=False)
    hugging_face: str | None = field(default=None, repr=False)
