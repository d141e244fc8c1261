"""Whether all that a model's configs say is done here; what is not is refused by its name, in one sentence."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.families.family import Family
from pipeline.models.config_keys import CLASSES, PIPELINE, TABLE, Keys
from pipeline.models.model_files import MODEL_INDEX, read_json

Config = Mapping[str, Any]

_NAMES: Final = {
    "unet": "UNet",
    "vae": "VAE",
    "text_encoder": "text encoder",
    "text_encoder_2": "second text encoder",
    "scheduler": "scheduler",
}
_INSTEAD: Final = "choose a text-to-image version of it"
_SIZES: Final = 6
"""What SDXL's denoiser is told of an image's sizes."""


def check_configs(name: str, folder: Path, family: Family) -> None:
    """Check every key of a model's configs.

    Args:
        name: what people call the model.
        folder: a diffusers folder.
        family: of the model.

    Raises:
        UserError: names the first key that cannot be honoured, or the file that is missing or damaged.
    """
    try:
        _check(name, folder, family)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"The configs of '{name}' say what no model's do; pull the model again.") from error


def _check(name: str, folder: Path, family: Family) -> None:
    index = read_json(folder / MODEL_INDEX)
    _check_index(name, index, family)
    configs = {part: read_config(folder, part) for part in ("unet", "vae", "scheduler", *family.text_encoders)}
    for part, config in configs.items():
        _check_class(name, part, config.get("_class_name"))
        _check_keys(f"The {_NAMES[part]} of '{name}'", config, TABLE[part])
    _check_channels(name, configs["unet"], configs["vae"])
    _check_scale(name, configs["vae"])
    _check_conditioning(name, configs, family)


def read_config(folder: Path, part: str) -> dict[str, Any]:
    """The config of one part.

    Args:
        folder: a diffusers folder.
        part: by diffusers' name.

    Returns:
        The config as it lies there.

    Raises:
        UserError: it is missing or damaged.
    """
    file = "scheduler_config.json" if part == "scheduler" else "config.json"
    return read_json(folder / part / file)


def _check_index(name: str, index: Config, family: Family) -> None:
    for part in CLASSES:
        _check_class(name, part, class_of(index, part))
    _check_keys(f"Model '{name}'", {key: value for key, value in index.items() if value != [None, None]}, PIPELINE)
    for part in ("unet", "vae", *family.text_encoders):
        if class_of(index, part) is None:
            raise UserError(
                f"Model '{name}' comes without its {_NAMES[part]}; choose one that draws from text by itself."
            )


def class_of(index: Config, part: str) -> str | None:
    """The class that a model names for a part.

    Args:
        index: what `model_index.json` says.
        part: by diffusers' name.

    Returns:
        The class's name, without its library; None where the model has no such part.
    """
    match index.get(part):
        case [_, str(kind)]:
            return kind
        case _:
            return None


def _check_class(name: str, part: str, kind: object) -> None:
    if kind is not None and kind not in CLASSES[part]:
        raise UserError(
            f"Model '{name}' has {kind} as its {part}, which Limner does not run; choose a model with {_any_of(part)}."
        )


def _any_of(part: str) -> str:
    return "one of diffusers' samplers" if part == "scheduler" else min(CLASSES[part])


def _check_keys(whose: str, config: Config, keys: Keys) -> None:
    for name, value in config.items():
        if name.startswith("_"):  # diffusers' and transformers' own notes: class, version, origin
            continue
        key = keys.get(name)
        if key is None and value not in (None, False, "", [], {}):
            raise UserError(
                f"{whose} sets {name} to {_shown(value)}, which this version of Limner does not know; "
                "update Limner or choose another model."
            )
        if key is not None and key.allowed is not None and not set(_items(value)) <= key.allowed:
            raise UserError(f"{whose} sets {name} to {_shown(value)}: {key.reason}; {_INSTEAD}.")


def _items(value: object) -> Iterator[object]:
    """A value's own, or a list's; what is neither plain nor a list of plain values is among none."""
    for item in value if isinstance(value, list) else [value]:
        yield str(item) if isinstance(item, list | dict) else item


def _shown(value: object) -> str:
    return f"'{value:.40}'" if isinstance(value, str) else f"{value!s:.40}"


def _check_channels(name: str, unet: Config, vae: Config) -> None:
    latent = vae.get("latent_channels", 4)
    reads, answers = unet.get("in_channels", 4), unet.get("out_channels", 4)
    if reads == latent == answers:
        return
    if reads == 2 * latent + 1:
        raise UserError(f"Model '{name}' draws inside pictures only; choose its text-to-image version.")
    raise UserError(
        f"The UNet of '{name}' reads {reads} channels and answers {answers}, where its VAE has {latent}: "
        f"it needs more than a prompt; {_INSTEAD}."
    )


def _check_scale(name: str, vae: Config) -> None:
    """That latents can be scaled: by a factor, and by a number for each channel where there are any."""
    factor = vae.get("scaling_factor", 1)
    if not (isinstance(factor, int | float) and factor > 0):
        raise UserError(f"The VAE of '{name}' sets scaling_factor to {_shown(factor)}; pull the model again.")
    for key in ("latents_mean", "latents_std"):
        each, channels = vae.get(key), vae.get("latent_channels", 4)
        if each is not None and not (isinstance(each, list) and len(each) == channels):
            raise UserError(
                f"The VAE of '{name}' sets {key} to {_shown(each)}, not to {channels} numbers; pull the model again."
            )


def _check_conditioning(name: str, configs: Mapping[str, Config], family: Family) -> None:
    """That the denoiser reads what the text encoders say, and of the sizes what the family's does."""
    unet, encoders = configs["unet"], [configs[part] for part in family.text_encoders]
    kind, wanted = unet.get("addition_embed_type"), "text_time" if family.pooled_and_sizes else None
    if kind != wanted:
        raise UserError(
            f"The UNet of '{name}' sets addition_embed_type to {_shown(kind)}, not to {_shown(wanted)} as those of "
            f"{family.name}; {_INSTEAD}."
        )
    said, read = sum(each.get("hidden_size", 512) for each in encoders), unet.get("cross_attention_dim", 1280)
    if said != read:
        raise UserError(
            f"The UNet of '{name}' sets cross_attention_dim to {_shown(read)}, but its text encoders say {said} "
            "numbers of a token; pull the model again."
        )
    if not family.pooled_and_sizes:
        return
    pooled = encoders[-1].get("projection_dim", 512)
    expected = pooled + _SIZES * (unet.get("addition_time_embed_dim") or 0)
    if (size := unet.get("projection_class_embeddings_input_dim")) != expected:
        raise UserError(
            f"The UNet of '{name}' sets projection_class_embeddings_input_dim to {_shown(size)}, where {family.name} "
            f"has {expected}: it reads something other than an image's sizes; {_INSTEAD}."
        )
