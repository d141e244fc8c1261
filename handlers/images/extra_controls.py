"""The option `also`: other kinds that are kept of the same image."""

import re
from typing import Annotated, Final

from handlers.commands.option import Details
from pipeline.errors import InvalidRequest
from pipeline.requests.control import ControlKind, ControlUse

Also = Annotated[str | None, Details("Kept too: depth:0.5 pose")]

_KIND: Final = re.compile(r"([a-z]{2,12})(?::(\d{1,2}(?:\.\d{1,3})?|\.\d{1,3}))?")


def more_controls(also: str | None, image: str, first: ControlKind | None) -> tuple[ControlUse, ...]:
    """What `also` names, each kept of the image of that key as much as is said behind its colon.

    Raises InvalidRequest for what is no kind, or kept already, as `first` is.
    """
    uses = [_use(word, image) for word in re.split(r"[\s,]+", also or "") if word]
    kinds = [use.kind for use in uses] if first is None else [first, *(use.kind for use in uses)]
    for use in uses:
        if kinds.count(use.kind) > 1:
            raise InvalidRequest("also", f"{use.kind} is kept already; name each kind once.")
    return tuple(uses)


def _use(word: str, image: str) -> ControlUse:
    match = _KIND.fullmatch(word.casefold())
    if match is None or match[1] not in set(ControlKind):
        there = ", ".join(ControlKind)
        raise InvalidRequest(
            "also", f"also '{word:.40}' is unclear; write kinds such as depth:0.5 pose; there are: {there}."
        )
    return ControlUse(kind=ControlKind(match[1]), image=image, scale=1.0 if match[2] is None else float(match[2]))
