"""A tenant survives in the text that a reply stores, and names its installation."""

import pytest

from bot.slack.tenant import Tenant


@pytest.mark.parametrize(
    ("tenant", "installation"),
    [(Tenant(team_id="T1"), "T1"), (Tenant(team_id="T1", org_id="E1"), "E1")],
)
def test_a_tenant_comes_back_from_its_text(tenant: Tenant, installation: str) -> None:
    """An organisation's token serves all of its workspaces."""
    assert Tenant.parse(tenant.text) == tenant
    assert tenant.installation == installation
