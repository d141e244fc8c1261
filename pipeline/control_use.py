"""One control of a request: which property of a picture to keep, from which map, how much and when."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pipeline.errors import InvalidRequest, check_range

MAX_CONTROL_SCALE: Final = 2.0
_KIND: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class ControlMode(StrEnum):
    """Who wins where the prompt and the control disagree; the value is what a member types."""

    BALANCED = "balanced"
    PROMPT = "prompt"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlUse:
    """One ControlNet at work: Zhang et al., 2023 (arXiv 2302.05543).

    `kind` says what is kept ("edge", "depth"), `picture` is the key of the control map's bytes, `scale` the
    conditioning scale; it works from `start` to `end`, parts of the steps that are made. Raises InvalidRequest, naming
    the field and its limit.
    """

    kind: str
    picture: str
    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mode: ControlMode = ControlMode.BALANCED

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise InvalidRequest(
                "control", f"control '{self.kind[:40]}' is unknown; /help control lists those there are."
            )
        check_range("control scale", self.scale, 0, MAX_CONTROL_SCALE)
        check_range("control start", self.start, 0, 1)
        check_range("control end", self.end, 0, 1)
        if self.start >= self.end:
            raise InvalidRequest("control", f"The control ends at {self.end:g}, before it starts at {self.start:g}.")
