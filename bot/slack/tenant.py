"""The tenant that installed us in Slack: a workspace, or an Enterprise organisation for its workspaces."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A workspace; `org_id` is set only where its whole organisation installed us, whose token then serves it."""

    team_id: str
    org_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Tenant":
        """The tenant in `text`, as a reply's address stores it."""
        team_id, _, org_id = text.partition("@")
        return cls(team_id=team_id, org_id=org_id or None)

    @property
    def text(self) -> str:
        """The form that is stored with a job: no token, since that may change."""
        return self.team_id if self.org_id is None else f"{self.team_id}@{self.org_id}"

    @property
    def installation(self) -> str:
        """The id under which the installation is kept that serves this workspace."""
        return self.org_id or self.team_id
