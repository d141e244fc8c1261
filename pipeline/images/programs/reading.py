"""Which program wrote an image's texts, and what they say."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.images.programs.comfyui import read_comfyui
from pipeline.images.programs.infotext import has_settings, read_infotext
from pipeline.images.programs.json_programs import read_fooocus, read_invokeai, read_novelai, read_swarmui
from pipeline.images.programs.parameters import ProgramParameters

_NOTHING: Final = (
    "This picture does not say how it was made, by Limner or another program; "
    "chats often remove that, so send the original file."
)


def read_parameters(texts: Mapping[str, str]) -> ProgramParameters:
    """Read the texts of an image that another program made.

    Args:
        texts: by keyword, as `pipeline.images.file_texts.file_texts` finds them; untrusted.

    Returns:
        What they say.

    Raises:
        UserError: nothing that can be read.
    """
    try:
        read = _read(texts)
    except RecursionError as error:  # values as deep as a reader of JSON bears are too deep for others
        raise UserError(_NOTHING) from error
    if not read.says_anything:
        raise UserError(_NOTHING)
    return read


def _read(texts: Mapping[str, str]) -> ProgramParameters:
    """By the keyword that a program uses; a plain text may be of any that writes EXIF."""
    if own := _object(texts.get("invokeai_metadata")):
        return read_invokeai(own)
    if texts.get("Software", "").startswith("NovelAI") or "uc" in (_object(texts.get("Comment")) or {}):
        return read_novelai(_object(texts.get("Comment")) or {}, texts.get("Description", ""))
    comment = texts.get("UserComment", "")
    written = texts.get("parameters") or comment
    if (own := _object(written)) is not None:
        if (read := _of_object(own)).says_anything:
            return read
    # A camera's comment is no prompt.
    elif written and (written != comment or has_settings(comment)):
        return read_infotext(written)
    for keyword in ("prompt", "workflow"):
        if (graph := _object(texts.get(keyword))) and (read := read_comfyui(graph)).says_anything:
            return read
    return ProgramParameters(program="")


def _of_object(own: Mapping[str, Any]) -> ProgramParameters:
    if isinstance(swarm := own.get("sui_image_params"), Mapping):
        return read_swarmui(swarm)
    if "base_model" in own or "fooocus_scheme" in own or "resolution" in own:
        return read_fooocus(own)
    return read_comfyui(own)


def _object(written: str | None) -> Mapping[str, Any] | None:
    """An untrusted JSON object; None for what is none."""
    if written is None or not written.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
