"""Whether a guild's library has room for one more LoRA, and its name."""

from dataclasses import dataclass
from itertools import count

from pipeline.errors import UserError
from storage.library.loras import LoraStore, name_taken


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraQuota:
    """The libraries `loras`, each of which may hold `quota` bytes."""

    loras: LoraStore
    quota: int

    async def check(self, guild_id: int, size: int = 1) -> None:
        """Raise UserError unless `size` more bytes fit into the guild's library."""
        used = await self.loras.used_bytes(guild_id)
        if used + size > self.quota:
            raise UserError(
                f"This server's LoRAs take {used / 2**30:.2f} of {self.quota / 2**30:.2f} GB, too much for this one "
                "as well; remove one with /lora remove."
            )

    async def check_name(self, guild_id: int, owner_id: str, name: str, *, private: bool) -> None:
        """Raise InvalidRequest if the name is taken where the LoRA is to be."""
        if not await self.loras.is_free(guild_id, owner_id, name, private=private):
            raise name_taken(name)

    async def free_name(self, guild_id: int, owner_id: str, name: str, *, private: bool) -> str:
        """`name` where it is free, else the first of name-2, name-3, … that is."""
        free = name
        for number in count(2):
            if await self.loras.is_free(guild_id, owner_id, free, private=private):
                break
            free = f"{name[:28]}-{number}"
        return free
