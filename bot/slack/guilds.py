"""The caller of an interaction: its workspace as a guild, its user as a member."""

from dataclasses import dataclass, field, replace

from bot.slack.application import Application
from bot.slack.interaction import SlackInteraction
from bot.slack.members import Members
from bot.slack.tenant import Tenant
from handlers.buttons import Press, home_guild
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.permissions import with_rights
from storage.guilds.guilds import Guild
from storage.platform import Platform


@dataclass(slots=True, kw_only=True)
class SlackGuilds:
    """Finds or stores the guild of a workspace, and asks Slack who the member is."""

    context: AppContext
    members: Members
    application: Application = field(default_factory=Application)
    _guild_ids: dict[str, int] = field(default_factory=dict)

    async def caller(self, interaction: SlackInteraction) -> Caller:
        """The member in their workspace's guild, with its settings as they are now; raises NotInstalled."""
        await self.members.workspaces.identity(interaction.tenant)
        guild = await self.guild(interaction)
        member = await self.members.member(interaction, guild.settings.roles)
        return Caller(guild=guild, member=with_rights(member, guild.settings), reply=interaction.reply)

    async def at_home(self, interaction: SlackInteraction, pressed: Press) -> SlackInteraction:
        """The interaction in the workspace where the member asked for what they click on.

        In an organisation a direct message is one for all its workspaces, and Slack names the one that is open.
        """
        if not interaction.is_direct or interaction.tenant.org_id is None:
            return interaction
        home = await home_guild(pressed, Platform.SLACK, interaction.user_id, self.context)
        if home is None or home.external_id not in await self._teams(interaction.tenant):
            return interaction
        return replace(interaction, tenant=replace(interaction.tenant, team_id=home.external_id), team_name=home.name)

    async def guild(self, interaction: SlackInteraction) -> Guild:
        """The guild of the member's workspace, with its settings as they are now; raises UserError as `check` does."""
        self.check(interaction.tenant)
        team_id, connections = interaction.tenant.team_id, self.context.connections
        application_id = self.application.learn(interaction.application_id)
        known = self._guild_ids.get(team_id)
        # Asked for each time: another process may have learnt that we were removed and came back.
        guild = await connections.find(known, application_id) if known is not None else None
        if guild is None:
            guild = await self.context.guilds.ensure(Platform.SLACK, team_id, interaction.team_name)
            if application_id:
                await connections.connect(guild.id, application_id)
            self._guild_ids[team_id] = guild.id
            await self._note(interaction.tenant)
        return guild

    def check(self, tenant: Tenant) -> None:
        """Raise UserError unless the workspace, or its organisation, is to be served."""
        self.context.allowed_guilds.check(Platform.SLACK, tenant.team_id, organisation=tenant.org_id)

    async def meet(self, tenant: Tenant, application_id: str) -> None:
        """Record that the application is installed in those of a tenant's workspaces that were ever here."""
        for guild in await self._stored(tenant):
            await self.context.connections.connect(guild.id, application_id)

    async def remove(self, tenant: Tenant, application_id: str) -> None:
        """Record that the application was removed from a tenant's workspaces.

        Their data is kept for a while, and longer where another of our applications is installed.
        """
        for guild in await self._stored(tenant):
            self._guild_ids.pop(guild.external_id, None)
            await self.context.connections.disconnect(guild.id, application_id)

    async def _stored(self, tenant: Tenant) -> list[Guild]:
        found = [await self.context.guilds.find(Platform.SLACK, team_id) for team_id in await self._teams(tenant)]
        return [guild for guild in found if guild is not None]

    async def _note(self, tenant: Tenant) -> None:
        """Remember which workspaces an organisation has: its removal names none of them."""
        if tenant.org_id is not None:
            teams = {*(await self._noted(tenant.org_id)), tenant.team_id}
            await self.context.notes.put(_note_name(tenant.org_id), " ".join(sorted(teams)))

    async def _teams(self, tenant: Tenant) -> list[str]:
        return [tenant.team_id] if tenant.org_id is None else await self._noted(tenant.org_id)

    async def _noted(self, org_id: str) -> list[str]:
        return (await self.context.notes.get(_note_name(org_id)) or "").split()


def _note_name(org_id: str) -> str:
    return f"slack workspaces of {org_id}"
