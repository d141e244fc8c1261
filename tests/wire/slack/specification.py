"""Slack's public specifications as judges: what a method takes, what it needs, how often it may be called."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

SPECS: Final = Path(__file__).parents[3].parent / "shared" / "specs" / "slack"
_TIERS: Final = {"Tier1": 1, "Tier2": 20, "Tier3": 50, "Tier4": 100}
_TRANSPORT_ARGUMENTS: Final = {"token"}


def require_specifications() -> None:
    """Skip the test where the specifications are not there."""
    if not SPECS.is_dir():
        pytest.skip(
            f"{SPECS} is missing: methods from github.com/smstoslack/slack_kit, tiers and responses from "
            "github.com/slackapi/java-slack-sdk, fixtures from github.com/slackapi/bolt-python"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One Web API method: its arguments, which of them it must have, the errors it may answer, its bot scopes."""

    name: str
    known: frozenset[str]
    required: frozenset[str]
    errors: frozenset[str]
    scopes: frozenset[str]

    def complaints(self, arguments: dict[str, Any]) -> list[str]:
        """What is wrong with a call's arguments."""
        unknown = arguments.keys() - self.known - _TRANSPORT_ARGUMENTS
        missing = self.required - arguments.keys()
        return [f"{self.name} has no argument {name}" for name in sorted(unknown)] + [
            f"{self.name} needs the argument {name}" for name in sorted(missing)
        ]


# From docs.slack.dev/reference/methods, for what the stored reference leaves out.
_FURTHER: Final = {
    "usergroups.users.list": Method(
        name="usergroups.users.list",
        known=frozenset({"usergroup", "include_disabled", "team_id"}),
        required=frozenset({"usergroup"}),
        errors=frozenset({"no_such_subteam", "missing_scope", "permission_denied", "plan_upgrade_required"}),
        scopes=frozenset({"usergroups:read"}),
    ),
}


@cache
def method(name: str) -> Method | None:
    """The specification of a method, or None where the reference holds none: then nobody may call it."""
    if name in _FURTHER:
        return _FURTHER[name]
    path = SPECS / "methods" / f"{name}.json"
    if not path.is_file():
        return None
    data = json.loads(path.read_text())
    return Method(
        name=name,
        known=frozenset(data["args"]),
        required=frozenset(key for key, value in data["args"].items() if value.get("required")),
        errors=frozenset(data["errors"]),
        scopes=frozenset(scope["name"] for scope in data["scopes"].get("bot", ())),
    )


@cache
def calls_per_minute(name: str) -> int | None:
    """How often a workspace may call a method in a minute; None for those with a rule of their own."""
    return _TIERS.get(json.loads((SPECS / "rate_limit_tiers.json").read_text())[name])


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    """A public inbound payload with some of its values replaced; a key that it does not have is refused."""
    payload: dict[str, Any] = json.loads((SPECS / "fixtures" / f"{name}.json").read_text())
    foreign = changes.keys() - payload.keys()
    assert not foreign, f"Slack's {name} has no {foreign}"
    return payload | changes


def response(name: str) -> frozenset[str]:
    """The top-level keys that a method's answers carry."""
    return frozenset(json.loads((SPECS / "responses" / f"{name}.json").read_text()))
