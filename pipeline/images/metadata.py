"""An image's metadata inside its PNG: AUTOMATIC1111's `parameters` text, and `limner`, the JSON of an exact re-run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import UserError
from pipeline.images.file_parameters import OWN_KEYWORD
from pipeline.images.png_text import read_texts, write_png
from pipeline.requests.control import ControlMode
from pipeline.requests.decimal_text import decimal_text
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.spacing import Spacing

FORMAT: Final = 1
KEYWORD: Final = OWN_KEYWORD
PARAMETERS: Final = "parameters"
_MODE_NAMES: Final = {
    ControlMode.BALANCED: "Balanced",
    ControlMode.PROMPT: "My prompt is more important",
    ControlMode.CONTROL: "ControlNet is more important",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetadata:
    """All that decided an image.

    `made_from` is the request that the engine ran (count 1); `model_name` and `model_hash` are as in ModelFacts;
    `bucket` is the number of rows of the padded batch, `lora_pages` the number of LoRA pages of each row; `own_weights`
    says whether layers ran request by request for LoRAs that need it, `compiled` whether the denoiser ran compiled,
    which rounds differently; `device` and `dtype` say where and how exactly it ran; `versions` are (name, version) of
    the libraries that decide.
    """

    made_from: ImageRequest
    model_name: str
    model_hash: str
    bucket: int
    lora_pages: int = 0
    own_weights: bool = False
    compiled: bool = False
    device: str
    dtype: str
    versions: tuple[tuple[str, str], ...]

    def request(self) -> ImageRequest:
        """The request that gives this image again, bit for bit on the same device.

        The keys of its LoRAs are what the file says, which is untrusted: a server of many guilds looks them up by name
        instead.

        Returns:
            With the batch's size, pages and ways of running as they were.
        """
        return replace(
            self.made_from,
            bucket=self.bucket,
            lora_pages=self.lora_pages,
            own_weights=self.own_weights,
            compiled=self.compiled,
        )

    def parameters(self) -> str:
        """The text that AUTOMATIC1111 writes and Civitai reads.

        Returns:
            The prompt, the negative prompt and a line of settings.
        """
        made = self.made_from
        loras = "".join(f" {lora.tag}" for lora in made.loras)
        settings = {
            "Steps": made.steps,
            "Sampler": made.scheduler.label,
            **({} if made.spacing is Spacing.NORMAL else {"Schedule type": made.spacing.label}),
            "CFG scale": f"{made.guidance_scale:g}",
            "Seed": made.seed,
            "Size": f"{made.width}x{made.height}",
            **_guidance_settings(made),
            **_variation_settings(made),
            **({} if made.start is None else {"Denoising strength": f"{made.start.strength:g}"}),
            **_control_settings(made),
            **({} if made.vae is None else {"VAE": _quoted(made.vae)}),
            "Model hash": self.model_hash,
            "Model": _quoted(self.model_name),
            **_lora_hashes(made),
            "RNG": "CPU",
            "Version": f"limner {dict(self.versions).get('limner', '')}".strip(),
        }
        lines = [made.prompt + loras]
        if made.negative_prompt:
            lines.append(f"Negative prompt: {made.negative_prompt}")
        lines.append(", ".join(f"{key}: {value}" for key, value in settings.items()))
        return "\n".join(lines)

    def to_json(self) -> str:
        """The JSON that an image carries.

        Returns:
            In ASCII, which every PNG reader keeps as it is.
        """
        return _METADATA.dump_json(_Envelope(format=FORMAT, image=self), ensure_ascii=True).decode()


def encode(image: Image.Image, info: ImageMetadata, notes: Mapping[str, str] | None = None) -> bytes:
    """Encode an image with its metadata.

    Args:
        image: in RGB.
        info: what decided it.
        notes: further texts, by keyword.

    Returns:
        A PNG with two text chunks, for other programs and for ours, and the notes.
    """
    return write_png(image, {PARAMETERS: info.parameters(), KEYWORD: info.to_json(), **(notes or {})})


def read(png: bytes) -> ImageMetadata:
    """The metadata of a PNG that Limner wrote.

    Args:
        png: an untrusted file.

    Returns:
        What decided the image; its request has passed the same checks as a member's.

    Raises:
        UserError: there is none, it is damaged, or another version wrote it.
    """
    return parse(read_texts(png).get(KEYWORD))


def parse(text: str | None) -> ImageMetadata:
    """The metadata in the text that a PNG carries under KEYWORD.

    Args:
        text: as an untrusted file has it; None for a file without it.

    Returns:
        As `read`.

    Raises:
        UserError: there is none, it is damaged, or another version wrote it.
    """
    if text is None:
        raise UserError(
            "This picture does not say how Limner made it; chats often remove that, so send the original file."
        )
    try:
        envelope = _METADATA.validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError("What this picture says of how it was made is damaged; send the original file.") from error
    if envelope.format != FORMAT:
        raise UserError("This picture was made by another version of Limner; how cannot be read here.")
    return envelope.image


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    format: int
    image: ImageMetadata


_METADATA: Final = TypeAdapter(_Envelope)


def _guidance_settings(made: ImageRequest) -> dict[str, object]:
    """In the words of AUTOMATIC1111 and of what Forge brings along; the window is ours alone."""
    settings: dict[str, object] = {} if made.clip_skip == 1 else {"Clip skip": made.clip_skip}
    if made.guidance_rescale:
        settings["CFG Rescale"] = f"{made.guidance_rescale:g}"
    if made.guidance_window is not None:
        settings["Guidance window"] = made.guidance_window.span
    if made.perturbed:
        settings |= {"pag_enabled": True, "pag_scale": f"{made.pag_scale:g}"}
    if made.freeu is not None:
        settings["freeu_enabled"] = True
        settings |= {f"freeu_{name}": f"{factor:g}" for name, factor in made.freeu.factors.items()}
    return settings


def _variation_settings(made: ImageRequest) -> dict[str, object]:
    """AUTOMATIC1111's words for one variation; several, which it does not know, as `seed:strength` each."""
    match made.variations:
        case ():
            return {}
        case (only,):
            return {"Variation seed": only.seed, "Variation seed strength": f"{only.strength:g}"}
        case several:
            return {"Variations": " ".join(f"{each.seed}:{decimal_text(each.strength)}" for each in several)}


def _lora_hashes(made: ImageRequest) -> dict[str, object]:
    """As AUTOMATIC1111 names the LoRAs whose files it knows."""
    known = {use.name: use.hash for use in made.loras if use.hash}
    return {"Lora hashes": json.dumps(", ".join(f"{name}: {own}" for name, own in known.items()))} if known else {}


def _control_settings(made: ImageRequest) -> dict[str, object]:
    """In the words of AUTOMATIC1111's ControlNet extension."""
    return {
        f"ControlNet {number}": json.dumps(
            f"Module: none, Model: {use.kind}, Weight: {use.scale:g}, Guidance Start: {use.start:g}, "
            f"Guidance End: {use.end:g}, Control Mode: {_MODE_NAMES[use.mode]}"
        )
        for number, use in enumerate(made.controls)
    }


def _quoted(text: str) -> str:
    """`text` as a value between commas: in JSON's quotes where it would not stand alone."""
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:"\n') else text
