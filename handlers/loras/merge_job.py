"""What a worker does for /lora fuse: a new file from the members' own, which stay as they are."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from handlers.context.lora_quota import LoraQuota
from handlers.loras.import_request import LoraOrder
from handlers.prompts.syntax import mentions_text
from pipeline.errors import UserError
from pipeline.lora.exporting.merge_process import Merged, MergeInput
from pipeline.lora.format.block_scales import scales_of
from pipeline.requests.image_request import LoraUse
from storage.library.loras import Lora, NewLora
from storage.queue.jobs import Job

Merge = Callable[[Sequence[MergeInput], Path], Awaitable[Merged]]
"""Writes what several files do together as one; raises UserError."""


async def merged(job: Job, order: LoraOrder, room: LoraQuota, folder: Path, merge: Merge) -> NewLora:
    """The set that `order` asks for, its canonical file written to `folder`; raises UserError."""
    members = [await _member(job, part, room) for part in order.parts]
    scales = [scales_of(part, lora.base_family) for part, lora in zip(order.parts, members, strict=True)]
    parts = [
        MergeInput(
            path=folder / f"{part.key}.safetensors", scale=own.unet, text_encoder_scale=own.text, blocks=own.blocks
        )
        for part, own in zip(order.parts, scales, strict=True)
    ]
    made = await merge(parts, folder / f"{order.key}.safetensors")
    words = dict.fromkeys(word for lora in members for word in lora.trigger_words.split(", ") if word)
    return NewLora(
        guild_id=job.guild_id,
        name=order.name or "",
        owner_id=job.member_id,
        base_family=members[0].base_family,
        key=order.key,
        size=made.size,
        trigger_words=", ".join(words),
        metadata=f"A set: {mentions_text(order.parts)}\n{made.layers} layers",
        private=order.private,
    )


async def _member(job: Job, part: LoraUse, room: LoraQuota) -> Lora:
    lora = await room.loras.with_key(job.guild_id, part.key)
    if lora is None:
        raise UserError(f"'{part.name}' was removed meanwhile; /lora list shows those that there are.")
    return lora
