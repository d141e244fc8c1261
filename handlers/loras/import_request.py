"""What a member wants added to the guild's library, as the job's row keeps it."""

from dataclasses import dataclass
from typing import Final

from handlers.jobs.payloads import Codec
from pipeline.requests.image_request import LoraUse


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraOrder:
    """A LoRA from a `link`, from an uploaded `blob` called `file_name`, or a set of the guild's own, its `parts`.

    `key` names the canonical file to come.

    Without a `name` the source's own is used; `accept_loss` is the member's word for a file that is not served whole,
    `alpha` theirs for a file of PEFT that came without its config.
    """

    key: str
    link: str | None = None
    blob: str | None = None
    file_name: str = ""
    name: str | None = None
    private: bool = False
    accept_loss: bool = False
    alpha: float | None = None
    parts: tuple[LoraUse, ...] = ()

    @property
    def title(self) -> str:
        """What is added, in words."""
        return f"Add the LoRA {self.name or self.file_name or self.link}"[:200]


LORA_ORDER: Final = Codec(LoraOrder)
