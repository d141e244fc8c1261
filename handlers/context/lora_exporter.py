"""A LoRA of the library as a file for other programs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from handlers.context.served_model import ServedModel
from pipeline.errors import UserError
from pipeline.lora.exporting.export_process import ExportOrder, export_apart
from pipeline.lora.format.layout import LoraLayout
from storage.library.loras import Lora


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraExporter:
    """Writes such files, one at a time; `folder` holds canonical files, `bases` tells the models that are served."""

    folder: Path = Path()
    bases: Callable[[], Sequence[ServedModel]] = tuple
    export: Callable[[ExportOrder], Awaitable[None]] = export_apart
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, lora: Lora, layout: LoraLayout, limit: int) -> bytes:
        """The file's bytes; raises UserError where they would be more than `limit`, or no model here fits the LoRA."""
        source = self.folder / f"{lora.key}.safetensors"
        bases = [base for base in await asyncio.to_thread(self.bases) if base.facts.family is lora.base_family]
        if not bases or not await asyncio.to_thread(source.exists):
            raise UserError(f"The file of '{lora.name}', or the model that it was made for, is no longer here.")
        async with self._turn:
            with TemporaryDirectory() as folder:
                target = Path(folder) / "file.safetensors"
                await self.export(
                    ExportOrder(
                        source=source,
                        target=target,
                        layout=layout,
                        family=lora.base_family,
                        configs=[base.configs for base in bases],
                        title=lora.name,
                        trigger=lora.trigger_words,
                        resolution=bases[0].facts.width,
                    )
                )
                size = target.stat().st_size
                if size > limit:
                    most = f"{limit / 2**20:.0f} MB"
                    raise UserError(f"'{lora.name}' is {size / 2**20:.1f} MB; at most {most} are handed out.")
                return await asyncio.to_thread(target.read_bytes)
