"""Who installed us, behind slack_sdk's own interface, stored encrypted."""

import json
import logging
from typing import Any

from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore

from pipeline.errors import UserError
from storage.encryption import Encryption
from storage.guilds.installations import Installations
from storage.platform import Platform

_log = logging.getLogger(__name__)


class EncryptedInstallationStore(AsyncInstallationStore):
    """Bot installations in our own database; docs/decisions/slack-installations.md says why."""

    def __init__(self, installations: Installations, encryption: Encryption) -> None:
        self._installations = installations
        self._encryption = encryption

    @property
    def logger(self) -> logging.Logger:
        """The logger that slack_bolt asks for."""
        return _log

    async def async_save(self, installation: Installation) -> None:
        """Store an installation's bot; no user tokens are asked for."""
        await self.async_save_bot(installation.to_bot())

    async def async_save_bot(self, bot: Bot) -> None:
        """Store a bot in place of an earlier one."""
        tenant = _key(bot.enterprise_id, bot.team_id, is_enterprise_install=bot.is_enterprise_install)
        await self._installations.save(Platform.SLACK, tenant, self._encryption.encrypt(json.dumps(vars(bot))))

    async def async_find_bot(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        is_enterprise_install: bool | None = False,
    ) -> Bot | None:
        """The bot that serves a workspace or an organisation."""
        tenant = _key(enterprise_id, team_id, is_enterprise_install=bool(is_enterprise_install))
        return await self.find(tenant)

    async def find(self, tenant: str) -> Bot | None:
        """The bot kept under the id of a workspace or an organisation."""
        encrypted = await self._installations.find(Platform.SLACK, tenant)
        if encrypted is None:
            return None
        values: dict[str, Any] = json.loads(self._encryption.decrypt(encrypted))
        return Bot(**values)

    async def bots(self) -> list[Bot]:
        """Every stored bot that can be read; raises UserError where none of them can."""
        found, unread = [], []
        for tenant in await self._installations.tenants(Platform.SLACK):
            try:
                found.append(await self.find(tenant))
            except (UserError, ValueError, TypeError) as error:
                _log.error("the installation of %s cannot be read: %s", tenant, error)
                unread.append(error)
        if unread and not found:
            raise UserError("No installation can be read; set the LIMNER_KEY that sealed them, or install again.")
        return [bot for bot in found if bot is not None]

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Delete a workspace's bot, or without a workspace the organisation's."""
        await self._installations.delete(Platform.SLACK, team_id or enterprise_id or "")

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Nothing: users' own tokens are never stored."""


def _key(enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool) -> str:
    key = enterprise_id if is_enterprise_install else team_id
    if not key:
        raise ValueError("an installation names neither a workspace nor an organisation")
    return key
