"""An exporter of LoRAs, with a stand-in for what writes the file."""

from dataclasses import dataclass, field
from pathlib import Path

from handlers.commands.context import AppContext
from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.export_process import ExportOrder
from storage.guilds.guilds import Guild
from storage.library.loras import Lora, NewLora, new_key

CONFIGS = Path("a folder of configs")


EXPORTED = b"0123456789"


@dataclass(slots=True)
class FakeExport:
    """Writes the same ten bytes for each order, or refuses it."""

    refusal: str | None = None
    orders: list[ExportOrder] = field(default_factory=list)

    async def __call__(self, order: ExportOrder, /) -> None:
        self.orders.append(order)
        if self.refusal is not None:
            raise UserError(self.refusal)
        order.target.write_bytes(EXPORTED)


async def trained(context: AppContext, guild: Guild, folder: Path, name: str = "rex", *, subject: bool = True) -> Lora:
    """A subject with a file of its own."""
    new = NewLora(
        guild_id=guild.id, name=name, owner_id="ada", base_family=ModelFamily.SDXL, key=new_key(guild.id), size=1,
        trigger_words="j dog", subject=subject,
    )  # fmt: skip
    (folder / f"{new.key}.safetensors").touch()
    return await context.loras.add(new)
