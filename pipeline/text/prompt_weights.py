r"""Weights in a prompt, written as AUTOMATIC1111 does: `(word:1.2)`, `(word)` for 1.1, `[word]` for a little less.

Weights inside weights multiply. `\(`, `\)`, `\[`, `\]` and `\\` are the characters themselves, and so is a bracket
without its partner. No torch: chats read prompts too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from pipeline.errors import InvalidRequest

MAX_WEIGHT: Final = 2.0

_MORE: Final = 1.1
_PARTS: Final = re.compile(
    r"\\(?P<escaped>[()\[\]\\])|(?P<close>:\s*(?P<weight>[+-]?[.\d]+)\s*\)|[)\]])|(?P<open>[(\[])|.", re.DOTALL
)
_PARTNER: Final = {")": "(", "]": "["}
_OTHER: Final = {")": "[", "]": "("}
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A stretch of a prompt of one weight; 1 is what it has by itself."""

    text: str
    weight: float


def read_weights(prompt: str, field: str = "prompt") -> tuple[Fragment, ...]:
    """Read the weights in a prompt.

    Args:
        prompt: as it was typed.
        field: what the text is called in the error.

    Returns:
        Its stretches in order, without its marks; neighbours have different weights.

    Raises:
        InvalidRequest: a weight is no number, or outside 0 to MAX_WEIGHT.
    """
    parts = list(_PARTS.finditer(prompt))
    factors = _factors(parts, field)
    pieces = groupby(_pieces(parts, factors), key=lambda piece: piece[1])
    fragments = tuple(Fragment(text="".join(text for text, _ in run), weight=weight) for weight, run in pieces)
    for fragment in fragments:
        _check(fragment, field)
    return fragments


def plain_text(fragments: tuple[Fragment, ...]) -> str:
    """A text's words alone.

    Args:
        fragments: from `read_weights`.

    Returns:
        The text without marks.
    """
    return "".join(fragment.text for fragment in fragments)


def is_plain(fragments: tuple[Fragment, ...]) -> bool:
    """Whether nothing is weighted.

    Args:
        fragments: from `read_weights`.

    Returns:
        Whether every weight is 1.
    """
    return all(fragment.weight == 1 for fragment in fragments)


def _factors(parts: list[re.Match[str]], field: str) -> dict[int, float]:
    """By the places of both brackets of every pair: what the opening one multiplies by, and 0 for the closing one."""
    factors: dict[int, float] = {}
    # By opening bracket, so that the partner of a closing one is found without a search through all that are open.
    unclosed: dict[str, list[int]] = {"(": [], "[": []}
    for place, part in enumerate(parts):
        if part["open"]:
            unclosed[part["open"]].append(place)
        elif part["close"]:
            partners, others = unclosed[_PARTNER[part["close"][-1]]], unclosed[_OTHER[part["close"][-1]]]
            if partners:
                opening = partners.pop()
                while others and others[-1] > opening:
                    others.pop()
                factors[opening] = _factor(part, field)
                factors[place] = 0
    return factors


def _factor(close: re.Match[str], field: str) -> float:
    if close["weight"] is None:
        return _MORE if close["close"] == ")" else 1 / _MORE
    try:
        return float(close["weight"])
    except ValueError:
        raise InvalidRequest(
            field, f"'{close['weight'][:_SHOWN]}' is not a weight; write one such as (word:1.2)."
        ) from None


def _pieces(parts: list[re.Match[str]], factors: dict[int, float]) -> Iterator[tuple[str, float]]:
    """Every character that is left, with the product of the weights around it."""
    around = [1.0]
    for place, part in enumerate(parts):
        if place not in factors:
            yield part["escaped"] or part[0], around[-1]
        elif part["open"]:
            around.append(around[-1] * factors[place])
        else:
            around.pop()


def _check(fragment: Fragment, field: str) -> None:
    if not 0 <= fragment.weight <= MAX_WEIGHT + 1e-9:
        shown = fragment.text.strip()
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        raise InvalidRequest(
            field,
            f"The weight of '{shown}' is {fragment.weight:g}; use 0 to {MAX_WEIGHT:g},"
            r" or write \( and \) for brackets that are meant as such.",
        )
