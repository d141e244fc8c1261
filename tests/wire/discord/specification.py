"""Discord's own document as the judge of every request that Limner makes."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.wire.discord.fetch_document import DOCUMENT


@dataclass(frozen=True, slots=True)
class Specification:
    """Finds the operation of a request and holds its body to the schema."""

    document: dict[str, Any]

    def violation(self, method: str, path: str, body: object) -> str | None:
        """What is wrong with a request, or None."""
        operation = self._operation(method, path)
        if operation is None:
            return f"{method} {path} is no operation of Discord's"
        if "body" not in operation:
            return None if body is None else f"{method} {path} takes no body"
        if body is None:
            return f"{method} {path} needs a body"
        if operation["body"] is None:
            return f"{method} {path} takes a body without a name, which document.mjs does not read yet"
        validator = Draft202012Validator({**operation["body"], "components": self.document["components"]})
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
    """The document that came with the development dependencies."""
    if not DOCUMENT.exists():
        raise FileNotFoundError("Discord's document is missing; `make test` brings it.")
    return Specification(json.loads(DOCUMENT.read_text()))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template)))
