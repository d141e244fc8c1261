"""Discord's own OpenAPI document as the judge of every request that Limner makes."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

PATH = Path(__file__).parents[4] / "shared" / "specs" / "discord" / "openapi.json"


def require_specification() -> None:
    """Skip where the document is missing, and say where it comes from."""
    if not PATH.exists():
        pytest.skip(f"put openapi.json of github.com/discord/discord-api-spec (specs/) at {PATH}")


@dataclass(frozen=True, slots=True)
class Specification:
    """Finds the operation of a request and holds its body to the schema."""

    document: dict[str, Any]

    def violation(self, method: str, path: str, body: object) -> str | None:
        """What is wrong with a request, or None."""
        operation = self._operation(method, path)
        if operation is None:
            return f"{method} {path} is no operation of Discord's"
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None or body is None:
            return None if body is None else f"{method} {path} takes no body"
        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        error = best_match(validator.iter_errors(body))
        return None if error is None else f"{method} {path}: {error.message[:300]} at {list(error.absolute_path)}"

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The operation with the most literal path that matches."""
        found = [
            (template.count("{"), operations[method.lower()])
            for template, operations in self.document["paths"].items()
            if method.lower() in operations and _pattern(template).fullmatch(path)
        ]
        return min(found, key=lambda pair: pair[0])[1] if found else None


@cache
def discords_own() -> Specification:
    """The document beside the checkout."""
    return Specification(json.loads(PATH.read_text()))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template)))
