"""What a member wants added to the guild's library, as the job's row keeps it."""

from dataclasses import dataclass
from typing import Final

from handlers.jobs.payloads import Codec
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.requests.image_request import LoraUse


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraOrder:
    """A LoRA from a `link`, from an uploaded `blob` called `file_name`, or a set of the guild's own, its `parts`.

    `key` names the canonical file to come.

    Without a `name` the source's own is used; `scale_rule` is whose program it follows at scales other than 1, `alpha`
    the member's word for a file of PEFT that came without its config.
    """

    key: str
    link: str | None = None
    blob: str | None = None
    file_name: str = ""
    name: str | None = None
    private: bool = False
    scale_rule: ScaleRule = ScaleRule.LINEAR
    alpha: float | None = None
    parts: tuple[LoraUse, ...] = ()

    @property
    def title(self) -> str:
        """What is added, in words."""
        return f"Add the LoRA {self.name or self.file_name or self.link}"[:200]


LORA_ORDER: Final = Codec(LoraOrder)
