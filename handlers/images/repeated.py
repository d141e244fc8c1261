"""An image's own request asked for again, where what it was made with may not lie: in another data folder."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.images.program_options import found_lora
from pipeline.errors import UserError
from pipeline.requests.image_request import ImageRequest, LoraUse
from storage.errors import StorageError

_MOST_COMPARED: Final = 500


async def with_own_parts(request: ImageRequest, caller: Caller, context: AppContext) -> ImageRequest:
    """The request as `with_own_loras`, once all images that it is made from are here.

    Raises UserError naming every LoRA and every image that is not.
    """
    images = [words for key, words in _images(request).items() if not await _is_here(key, context)]
    return await with_own_loras(request, caller, context, images)


async def with_own_loras(
    request: ImageRequest, caller: Caller, context: AppContext, missing: Sequence[str] = ()
) -> ImageRequest:
    """The request with the LoRAs of the caller's own library, by file or by name.

    Raises UserError naming every one that it does not have, and what else is `missing`.
    """
    loras = [await _own_lora(use, caller, context) for use in request.loras]
    absent = [f"LoRA '{use.name}'" for use, own in zip(request.loras, loras, strict=True) if own is None]
    if absent or missing:
        *others, last = dict.fromkeys((*absent, *missing))
        words = f"{', '.join(others)} and {last}" if others else last
        raise UserError(
            f"This picture was made with {words}, not found here; use the data folder that made it "
            "(LIMNER_DATA), or add what is missing first."
        )
    return replace(request, loras=tuple(own for own in loras if own is not None))


async def _own_lora(use: LoraUse, caller: Caller, context: AppContext) -> LoraUse | None:
    by_key = await context.loras.with_key(caller.guild.id, use.key)
    library = await context.loras.search(caller.guild.id, caller.member.id, limit=_MOST_COMPARED)
    if by_key is not None and by_key.key == use.key:
        return use
    lora = found_lora(use.name, use.hash, library)
    return None if lora is None else replace(use, key=lora.key, name=lora.name, hash=lora.short_hash)


def _images(request: ImageRequest) -> dict[str, str]:
    """What each image that the request is made from is, by its key."""
    found = {control.image: f"the picture of its control {control.kind}" for control in request.controls}
    if request.start is not None:
        if request.start.mask is not None:
            found[request.start.mask] = "its mask"
        found[request.start.image] = "the picture that it was drawn over"
    return found


async def _is_here(key: str, context: AppContext) -> bool:
    try:
        await context.blobs.file(key)
    except StorageError:
        return False
    return True


def left_out(request: ImageRequest) -> str:
    """What no option of /imagine asks for again, as a sentence; empty where there is nothing."""
    parts = ["the picture that it was drawn over"] if request.start is not None else []
    parts += [f"its control {control.kind}" for control in request.controls]
    return f"With other options it is drawn without {' and '.join(parts)}." if parts else ""
