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

    `per_minute` is how often a workspace may call it in a minute, None where it has a rule of its own.
    """

    name: str
    known: frozenset[str]
    required: frozenset[str]
    scopes: frozenset[str]
    answer: frozenset[str]
    errors: frozenset[str]
    per_minute: int | None

    def complaints(self, arguments: dict[str, Any]) -> list[str]:
        """What is wrong with a call's arguments."""
        unknown = arguments.keys() - self.known - _TRANSPORT_ARGUMENTS
        missing = self.required - arguments.keys()
        return [f"{self.name} has no argument {name}" for name in sorted(unknown)] + [
            f"{self.name} needs the argument {name}" for name in sorted(missing)
        ]

    def error(self, code: str) -> str:
        """The code, which the method must be able to answer."""
        assert code in self.errors, f"{self.name} never answers {code}"
        return code


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
