"""Which Slack app this process is: Slack says so in what it sends, and in the token of Socket Mode."""

import re
from dataclasses import dataclass
from typing import Final

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
