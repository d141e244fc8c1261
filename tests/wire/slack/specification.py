"""What judges a call of Slack's Web API: slack_sdk's own signatures, and a table of facts with its sources."""

import inspect
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from slack_sdk.web.client import WebClient

_FACTS: Final[dict[str, dict[str, Any]]] = tomllib.loads(Path(__file__).with_name("methods.toml").read_text())
_EVERY: Final = _FACTS.pop("every")
METHODS: Final = frozenset(_FACTS)
"""The methods that Limner may call."""

# The client's own, and tokens, which travel in a header.
_NOT_ARGUMENTS: Final = {"self", "kwargs", "app_token"}
_TRANSPORT_ARGUMENTS: Final = {"token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One Web API method: its arguments, which of them it must have, its bot scopes, what it may answer.

    A call must have one of the arguments `one_of`, where there are any. `per_minute` is how often a workspace may call
    it in a minute, None where it has a rule of its own.
    """

    name: str
    known: frozenset[str]
    required: frozenset[str]
    one_of: frozenset[str]
    scopes: frozenset[str]
    answer: frozenset[str]
    errors: frozenset[str]
    per_minute: int | None

    def complaints(self, arguments: dict[str, Any]) -> list[str]:
        """What is wrong with a call's arguments."""
        unknown = arguments.keys() - self.known - _TRANSPORT_ARGUMENTS
        missing = self.required - arguments.keys()
        found = [f"{self.name} has no argument {name}" for name in sorted(unknown)]
        found += [f"{self.name} needs the argument {name}" for name in sorted(missing)]
        if self.one_of and not self.one_of & arguments.keys():
            found.append(f"{self.name} needs one of {', '.join(sorted(self.one_of))}")
        return found

    def false_words(self, answer: dict[str, Any]) -> list[str]:
        """What of an answer Slack would not say."""
        found = [f"{self.name} never answers {key}" for key in sorted(answer.keys() - self.answer)]
        error = answer.get("error")
        return found if error is None or error in self.errors else [*found, f"{self.name} never refuses with {error}"]


@cache
def method(name: str) -> Method | None:
    """The specification of a method; None for one that Limner may not call."""
    if name not in METHODS:
        return None
    facts = _FACTS[name]
    return Method(
        name=name,
        known=sdk_arguments(name),
        required=frozenset(facts["required"]),
        one_of=frozenset(facts.get("one_of", ())),
        scopes=frozenset(facts["scopes"]),
        answer=frozenset([*facts["answer"], *_EVERY["answer"]]),
        errors=frozenset([*facts["errors"], *_EVERY["errors"]]),
        per_minute=facts["per_minute"] or None,
    )


def sdk_arguments(name: str, *, required: bool = False) -> frozenset[str]:
    """The arguments of a method as slack_sdk's client declares them, all of them or those without a default."""
    parameters = inspect.signature(getattr(WebClient, name.replace(".", "_"))).parameters.values()
    return frozenset(
        parameter.name
        for parameter in parameters
        if parameter.name not in _NOT_ARGUMENTS and (not required or parameter.default is parameter.empty)
    )
