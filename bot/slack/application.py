"""Which Slack app this process is: Slack says so in what it sends, and in the token of Socket Mode."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_APP_ID: Final = re.compile("[0-9A-Za-z._-]{1,64}")
_APP_TOKEN: Final = re.compile(r"xapp-\d+-(A[0-9A-Z]+)-")


@dataclass(slots=True)
class Application:
    """`id` is empty until Slack has told us."""

    id: str = ""

    def learn(self, application_id: str | None) -> str:
        """Remember the id where there is one, since some payloads name none; returns what is known."""
        self.id = application_id or self.id
        return self.id

    def learn_from_token(self, app_token: str) -> None:
        """Read the id in a token of Socket Mode; one of another form is learnt from what Slack sends."""
        if found := _APP_TOKEN.match(app_token):
            self.learn(found[1])


def application_of(body: Mapping[str, Any]) -> str:
    """The id that a payload names; empty where it names none."""
    named = body.get("api_app_id")
    return named if isinstance(named, str) and _APP_ID.fullmatch(named) else ""
