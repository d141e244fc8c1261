"""What the program has to know of a family of models before it opens one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ModelFamily(StrEnum):
    """The families that are served; the value is what databases and files keep."""

    SDXL = "sdxl"
    SD15 = "sd15"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family's description; none of its models need be on this machine."""

    name: str
    """As people write it."""

    pipeline: str
    """The class that `model_index.json` names."""

    other_pipelines: frozenset[str]
    """Those that some models name, though they are of the same parts."""

    base_repository: str
    """The model on the Hugging Face Hub that the others were trained from; it has their configs and tokenizers."""

    native_side: int
    """Of the images that it was trained on, in pixels."""

    guidance_scale: float
    """For a request that names none."""

    aligned_sigmas: tuple[float, ...]
    """Of ten steps, from the first to after the last, for the spacing AYS (Sabour et al., 2024; arXiv 2404.14507)."""

    cross_attention_width: int
    """How many numbers the denoiser reads of each token, which tells a file's family."""

    text_encoders: Mapping[str, str]
    """Its text encoders by diffusers' names, in order, and how their tensors' names begin in a one-file checkpoint."""

    penultimate_states: bool
    """Whether the denoiser reads the layer before the text encoders' last one, without its norm."""

    pooled_and_sizes: bool
    """Whether the denoiser also reads the pooled text and the image's sizes (Podell et al., 2023; arXiv 2307.01952)."""

    t2i_adapters: frozenset[str]
    """The `adapter_type` of the T2I-Adapters that fit, by diffusers' names."""

    kohya_prefixes: Mapping[str, str]
    """How the names of a LoRA's layers begin in kohya's layout, by text encoder."""

    kohya_original_unet: bool
    """Whether kohya names the UNet's layers as Stability's code does, instead of as diffusers does."""

    kohya_base: str
    """The `ss_base_model_version` of a LoRA."""

    modelspec_architecture: str
    """The `modelspec.architecture` of a LoRA (https://github.com/Stability-AI/ModelSpec)."""

    training_seconds: float
    """About how long a training takes before one was measured, at the native size on a GPU."""

    gradient_checkpointing: bool
    """Whether a training computes activations twice, for which most cards have too little memory otherwise."""
