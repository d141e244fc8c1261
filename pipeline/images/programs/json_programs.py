"""Programs that write their parameters as one JSON object: InvokeAI, NovelAI, Fooocus and SwarmUI."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pipeline.images.programs.parameters import (
    MOST_LORAS,
    NamedLora,
    ProgramParameters,
    named,
    number,
    text,
    whole,
)

_NUMBERS: Final = re.compile(r"\d{1,5}", re.ASCII)
_KARRAS: Final = "_k"
"""What InvokeAI writes behind a sampler whose steps are spaced so."""

_SAMPLER_PREFIX: Final = re.compile(r"^k_")


def read_invokeai(own: Mapping[str, Any]) -> ProgramParameters:
    """Read `invokeai_metadata`.

    Args:
        own: the object.

    Returns:
        What it says.
    """
    model = own.get("model")
    entries = own.get("loras")
    loras = [each for each in entries if isinstance(each, Mapping)] if isinstance(entries, list) else []
    left = [
        name for name in ("controlnets", "ipAdapters", "t2iAdapters", "refiner_model", "init_image") if own.get(name)
    ]
    sampler = text(own.get("scheduler"))
    skipped = whole(own.get("clip_skip"))
    options = dict(_given(own, {"cfg_rescale_multiplier": "guidance_rescale"}))
    if skipped:
        # It counts the layers that are left out, not the one that is read.
        options["clip_skip"] = f"{skipped + 1}"
    if vae := named(own.get("vae")):
        options["vae"] = vae
    return ProgramParameters(
        program="InvokeAI",
        prompt=text(own.get("positive_prompt")),
        negative=text(own.get("negative_prompt")),
        seed=whole(own.get("seed")),
        steps=whole(own.get("steps")),
        guidance=number(own.get("cfg_scale")),
        sampler=sampler.removesuffix(_KARRAS),
        spacing="karras" if sampler.endswith(_KARRAS) else "",
        width=whole(own.get("width")),
        height=whole(own.get("height")),
        model=named(model),
        model_hash=_hash(model.get("hash")) if isinstance(model, Mapping) else "",
        loras=tuple(
            NamedLora(name=name, settings=_settings(each.get("weight")))
            for each in loras[:MOST_LORAS]
            if (name := named(each.get("model", each.get("lora"))))
        ),
        options=tuple(options.items()),
        left=tuple(left),
    )


def read_novelai(own: Mapping[str, Any], description: str) -> ProgramParameters:
    """Read NovelAI's `Comment`.

    Args:
        own: the object.
        description: the text beside it, which is the prompt.

    Returns:
        What it says.
    """
    left = [name for name in ("sm", "sm_dyn", "image", "reference_image_multiple", "uncond_scale") if own.get(name)]
    return ProgramParameters(
        program="NovelAI",
        prompt=text(own.get("prompt")) or text(description),
        negative=text(own.get("uc")),
        seed=whole(own.get("seed")),
        steps=whole(own.get("steps")),
        guidance=number(own.get("scale")),
        sampler=_SAMPLER_PREFIX.sub("", text(own.get("sampler"))),
        spacing=text(own.get("noise_schedule")),
        width=whole(own.get("width")),
        height=whole(own.get("height")),
        options=_given(own, {"cfg_rescale": "guidance_rescale"}),
        left=tuple(left),
    )


def read_fooocus(own: Mapping[str, Any]) -> ProgramParameters:
    """Read the `parameters` of Fooocus' own scheme.

    Args:
        own: the object.

    Returns:
        What it says.
    """
    entries = own.get("loras")
    loras = [each for each in entries if isinstance(each, list) and len(each) > 1] if isinstance(entries, list) else []
    sides = [int(side) for side in _NUMBERS.findall(str(own.get("resolution", ""))[:40])]
    left = [name for name in ("styles", "performance", "sharpness", "adm_guidance", "refiner_model") if own.get(name)]
    return ProgramParameters(
        program="Fooocus",
        prompt=text(own.get("prompt")),
        negative=text(own.get("negative_prompt")),
        seed=whole(own.get("seed")),
        steps=whole(own.get("steps")),
        guidance=number(own.get("guidance_scale")),
        sampler=text(own.get("sampler")),
        spacing=text(own.get("scheduler")),
        width=sides[0] if len(sides) == 2 else None,
        height=sides[1] if len(sides) == 2 else None,
        model=named(own.get("base_model")),
        model_hash=_hash(own.get("base_model_hash")),
        loras=tuple(
            NamedLora(name=named(each[0]), settings=_settings(each[1]), hash=_hash(each[2] if len(each) > 2 else ""))
            for each in loras[:MOST_LORAS]
            if named(each[0])
        ),
        options=_given(own, {"clip_skip": "clip_skip"}),
        left=tuple(left),
    )


def read_swarmui(own: Mapping[str, Any]) -> ProgramParameters:
    """Read SwarmUI's `sui_image_params`.

    Args:
        own: the object.

    Returns:
        What it says.
    """
    names, weights = own.get("loras"), own.get("loraweights")
    known = names if isinstance(names, list) else []
    scales = weights if isinstance(weights, list) else []
    layer = whole(own.get("clipstopatlayer"))
    options = {} if layer is None or layer >= 0 else {"clip_skip": f"{-layer}"}
    if vae := named(own.get("vae")):
        options["vae"] = vae
    left = [name for name in ("refinermethod", "controlnetmodel", "initimagecreativity") if own.get(name)]
    return ProgramParameters(
        program="SwarmUI",
        prompt=text(own.get("prompt")),
        negative=text(own.get("negativeprompt")),
        seed=whole(own.get("seed")),
        steps=whole(own.get("steps")),
        guidance=number(own.get("cfgscale")),
        sampler=text(own.get("sampler")),
        spacing=text(own.get("scheduler")),
        width=whole(own.get("width")),
        height=whole(own.get("height")),
        model=named(own.get("model")),
        loras=tuple(
            NamedLora(name=named(name), settings=_settings(scales[place] if place < len(scales) else None))
            for place, name in enumerate(known[:MOST_LORAS])
            if named(name)
        ),
        options=tuple(options.items()),
        left=tuple(left),
    )


def _settings(weight: object) -> str:
    scale = number(weight)
    return "" if scale is None else f":{scale:g}"


def _hash(value: object) -> str:
    """The digits of a hash, such as of "sha256:0123…"."""
    return text(value).rpartition(":")[2][:64]


def _given(own: Mapping[str, Any], names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = ((ours, number(own.get(theirs))) for theirs, ours in names.items())
    return tuple((ours, f"{value:g}") for ours, value in found if value)
