r"""What a prompt says from step to step, written as AUTOMATIC1111 does: `[red:blue:0.5]`, `[snow:10]`, `[fog::0.3]`,
`[cow|horse]`.

The last number of the first three is the step after which the second text stands in place of the first, or, with a
point in it, the part of the steps; `[a|b]` changes at every step. They may be nested. Any other brackets are text, as
is a character behind a backslash. No torch: chats read prompts too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import ImageRequest

MAX_TEXTS: Final = 16
"""Different texts of one image: each is encoded, and kept until the image is done."""

# A tag's colons and bars are its own.
_MARKS: Final = re.compile(r"(\\.|<\s{0,8}\w+\s{0,8}[:：=][^<>\n]*>|[\[\]()|:])", re.DOTALL)
_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d{1,6}(?:\.\d{0,20})?|\.\d{1,20}))\s*", re.ASCII)
_PARTNER: Final = {"]": "[", ")": "("}


@dataclass(frozen=True, slots=True)
class _Change:
    """`before` up to the step `when`, or with `in_parts` that part of the steps, then `after`."""

    before: tuple["_Part", ...]
    after: tuple["_Part", ...]
    when: float
    in_parts: bool

    def at(self, step: int, steps: int) -> tuple["_Part", ...]:
        """What stands there.

        Args:
            step: from 0.
            steps: how many are made.

        Returns:
            Parts, which may change in turn.
        """
        last = self.when * steps if self.in_parts else self.when
        return self.before if step < int(last) else self.after


@dataclass(frozen=True, slots=True)
class _Alternation:
    """One text after the other, at every step the next."""

    texts: tuple[tuple["_Part", ...], ...]

    def at(self, step: int, _steps: int) -> tuple["_Part", ...]:
        """What stands there.

        Args:
            step: from 0.
            _steps: how many are made.

        Returns:
            Parts, which may change in turn.
        """
        return self.texts[step % len(self.texts)]


_Part = str | _Change | _Alternation


@dataclass(slots=True)
class _Bracket:
    """An open bracket at a place among the parts, with the places of the marks directly inside; `enclosing` are the
    kinds of it and those around it. One inside that has no partner makes it `broken`.
    """

    mark: str
    place: int
    enclosing: frozenset[str]
    colons: list[int] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    broken: bool = False


@dataclass(frozen=True, slots=True)
class PromptSchedule:
    """A prompt that may say something else at each step."""

    parts: tuple[_Part, ...]

    def at(self, step: int, steps: int) -> str:
        """What it says.

        Args:
            step: from 0.
            steps: how many are made.

        Returns:
            The text, with its weights still in it.
        """
        texts: list[str] = []
        # No recursion, since brackets may be nested at will.
        waiting: list[_Part] = list(reversed(self.parts))
        while waiting:
            part = waiting.pop()
            if isinstance(part, str):
                texts.append(part)
            else:
                waiting += reversed(part.at(step, steps))
        return "".join(texts)

    def texts(self, steps: int) -> tuple[str, ...]:
        """What it says step by step.

        Args:
            steps: how many are made.

        Returns:
            A text for each.
        """
        if all(isinstance(part, str) for part in self.parts):
            return (self.at(0, steps),) * steps
        return tuple(self.at(step, steps) for step in range(steps))


def read_schedule(prompt: str) -> PromptSchedule:
    """Read what changes in a prompt.

    Args:
        prompt: as it was typed.

    Returns:
        Its schedule; a prompt in which nothing changes says at every step what was typed.
    """
    parts: list[_Part] = []
    unclosed: list[_Bracket] = []
    for text in _MARKS.split(prompt):
        if text in ("[", "("):
            above = unclosed[-1].enclosing if unclosed else frozenset()
            unclosed.append(_Bracket(text, len(parts), above | {text}))
        elif text == ":" and unclosed:
            unclosed[-1].colons.append(len(parts))
        elif text == "|" and unclosed:
            unclosed[-1].bars.append(len(parts))
        elif text in _PARTNER and (found := _closed(text, parts, unclosed)) is not None:
            bracket, part = found
            parts[bracket.place :] = [part]
            continue
        parts.append(text)
    return PromptSchedule(tuple(parts))


def texts_by_step(request: ImageRequest) -> tuple[tuple[str, str], ...]:
    """The texts that each step of a request is conditioned on.

    Args:
        request: its negative prompt counts only with guidance.

    Returns:
        Prompt and negative prompt, for each step that is made.

    Raises:
        InvalidRequest: there are more than MAX_TEXTS different ones.
    """
    steps = request.steps_made
    negative = request.negative_prompt if request.guided else ""
    both = tuple(zip(read_schedule(request.prompt).texts(steps), read_schedule(negative).texts(steps), strict=True))
    if (count := len(set(both))) > MAX_TEXTS:
        raise InvalidRequest(
            "prompt", f"The prompt's [a|b] stand for {count} different texts; the limit is {MAX_TEXTS}, so write fewer."
        )
    return both


def _closed(
    mark: str, parts: Sequence[_Part], unclosed: list[_Bracket]
) -> tuple[_Bracket, _Change | _Alternation] | None:
    """What a closing bracket ends, if it ends more than text; those without a partner make what is around them text."""
    if not unclosed or _PARTNER[mark] not in unclosed[-1].enclosing:
        for bracket in unclosed[-1:]:
            bracket.broken = True
        return None
    bracket = unclosed.pop()
    while bracket.mark != _PARTNER[mark]:
        bracket = unclosed.pop()
        bracket.broken = True
    if mark == ")" or bracket.broken or not (part := _part(bracket, parts)):
        return None
    return bracket, part


def _part(bracket: _Bracket, parts: Sequence[_Part]) -> _Change | _Alternation | None:
    """What a pair of square brackets stands for, if it is not text."""
    places = [bracket.place, *bracket.colons, *bracket.bars, len(parts)]
    number = None
    if not bracket.bars and len(bracket.colons) in (1, 2) and isinstance(last := parts[-1], str):
        number = _NUMBER.fullmatch(last) if places[-2] == len(parts) - 2 else None
    if number is None and (bracket.colons or not bracket.bars):
        return None
    inside = [tuple(parts[start + 1 : end]) for start, end in pairwise(places)]
    if number is None:
        return _Alternation(tuple(inside))
    *before, after, _ = inside
    written = number[1]
    return _Change(before=before[0] if before else (), after=after, when=float(written), in_parts="." in written)
