"""What becomes of each published kind of model: drawn beside diffusers' own pipeline, or refused."""

import inspect
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
from torch import Tensor

from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import UserError
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.samplers.edm import is_edm
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.engine.diffusers_pipelines import run_together
from tests.pipeline.models.published import save_configs
from tests.pipeline.models.variant_files import save_model
from tests.pipeline.models.variants import Variant
from tests.pipeline.samplers.references import eta_of, scheduler_of

LIMIT: Final = 1e-5
"""Of the latents: the order in which float32 is rounded."""

LEVELS: Final = 0.51
"""Of the pixels: ours are rounded to one of 256, diffusers' are not."""

_KINDS: Final[Mapping[str, Scheduler]] = {
    "DDIMScheduler": Scheduler.DDIM,
    "DEISMultistepScheduler": Scheduler.DEIS,
    "DPMSolverMultistepScheduler": Scheduler.DPMPP_2M,
    "EDMDPMSolverMultistepScheduler": Scheduler.DPMPP_2M,
    "EDMEulerScheduler": Scheduler.EULER,
    "EulerAncestralDiscreteScheduler": Scheduler.EULER_A,
    "EulerDiscreteScheduler": Scheduler.EULER,
    "HeunDiscreteScheduler": Scheduler.HEUN,
    "LCMScheduler": Scheduler.LCM,
    "PNDMScheduler": Scheduler.PNDM,
    "TCDScheduler": Scheduler.TCD,
    "UniPCMultistepScheduler": Scheduler.UNIPC,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`verdict` is right, refused (for the true reason), wrong or raw error; `sampler` is what both sides drew with;
    `said` is the error, or the sentence.
    """

    variant: Variant
    verdict: str
    sampler: str
    said: str


def outcome(variant: Variant, place: Path) -> Outcome:
    """Make the model in a folder that is empty, and draw with it."""
    folder = place / "model"
    (save_configs if variant.bare else save_model)(variant.model, folder)
    if variant.change is not None:
        variant.change(folder)
    try:
        path = variant.place(folder)
        ours = LoadedModel(ModelSource.parse(str(path)), Hardware.choose("cpu"), SPEC)
    except UserError as error:
        true = bool(variant.words) and variant.words in str(error)
        return Outcome(variant=variant, verdict="refused" if true else "wrong", sampler="", said=_plain(error, place))
    except Exception:
        return _raw(variant)
    if variant.words:
        return Outcome(variant=variant, verdict="wrong", sampler="", said="taken")
    try:
        return _compared(variant, ours, folder)
    except Exception:
        return _raw(variant)


def _plain(error: UserError, place: Path) -> str:
    return str(error).replace(f"{place}/", "")


def _raw(variant: Variant) -> Outcome:
    said = traceback.format_exc(limit=-1).splitlines()[-1]
    return Outcome(variant=variant, verdict="raw error", sampler="", said=said)


def _compared(variant: Variant, ours: LoadedModel, folder: Path) -> Outcome:
    theirs = _pipeline(folder)
    own = type(theirs.scheduler).__name__
    kind = _KINDS.get(own, Scheduler.EULER)
    if theirs.scheduler.config.get("algorithm_type") == "sde-dpmsolver++":
        kind = Scheduler.DPMPP_2M_SDE
    if not is_edm(theirs.scheduler.config):
        config = dict(theirs.scheduler.config)
        if own in _KINDS:  # or a class takes its defaults for what the pipeline set right
            config.pop("_use_default_values", None)
        theirs.scheduler = scheduler_of(kind, config)
    guidance = ((1.0, ""), (5.0, ""), (5.0, "blue"))
    requests = [a_request(scheduler=kind, guidance_scale=scale, negative_prompt=text) for scale, text in guidance]
    latents = [run_together(ours, [request], bucket=2)[0] for request in requests]
    expected = [_draw(theirs, request) for request in requests]
    error = max(float((a - b).norm() / b.norm()) for a, b in zip(latents, expected, strict=True))
    levels = _levels(ours, theirs, latents[-1])
    right = error < LIMIT and levels < LEVELS
    said = f"{error:.0e}" if levels < LEVELS else f"{error:.0e}, pixels {levels:.1f} levels apart"
    return Outcome(variant=variant, verdict="right" if right else "wrong", sampler=kind.value, said=said)


def _pipeline(folder: Path) -> Any:
    _spare_scipy(folder)
    unneeded = {"safety_checker": None, "feature_extractor": None}
    kind = diffusers.DiffusionPipeline.load_config(folder)["_class_name"]
    if kind == "StableDiffusionXLImg2ImgPipeline":  # of the same parts
        kind = "StableDiffusionXLPipeline"
    pipeline_class = getattr(diffusers, kind)
    known = inspect.signature(pipeline_class.__init__).parameters
    options = {name: part for name, part in unneeded.items() if name in known}
    whole = [file for file in (folder / "unet").glob("*.safetensors") if ".fp16" not in file.name]
    variant = None if whole else "fp16"
    pipeline = pipeline_class.from_pretrained(folder, dtype=torch.float32, variant=variant, **options)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _spare_scipy(folder: Path) -> None:
    """Have diffusers read what it cannot open without scipy as Euler's, which both sides draw with."""
    for path in (folder / "model_index.json", folder / "scheduler" / "scheduler_config.json"):
        path.write_text(path.read_text().replace("LMSDiscreteScheduler", "EulerDiscreteScheduler"))


def _draw(pipeline: Any, request: ImageRequest) -> Tensor:
    options = {
        "negative_prompt": request.negative_prompt or None,
        "width": request.width,
        "height": request.height,
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "generator": torch.Generator().manual_seed(request.seed),
        "output_type": "latent",
        **eta_of(request.scheduler),
    }
    known = inspect.signature(pipeline.__call__).parameters
    latents: Tensor = pipeline(request.prompt, **{name: own for name, own in options.items() if name in known}).images
    return latents


@torch.inference_mode()
def _levels(ours: LoadedModel, theirs: Any, latents: Tensor) -> float:
    """How far pixels of the same latents are apart, of 256 levels."""
    config = theirs.vae.config
    encoded = latents / config.scaling_factor
    if config.latents_mean is not None and config.latents_std is not None:
        mean, deviation = (
            torch.tensor(each)[None, :, None, None] for each in (config.latents_mean, config.latents_std)
        )
        encoded = latents * deviation / config.scaling_factor + mean
    decoded = theirs.vae.decode(encoded, return_dict=False)[0]
    expected = (decoded[0].movedim(0, -1) / 2 + 0.5).clamp(0, 1) * 255
    return float((ours.denoiser.decode(latents).pixels.float() - expected).abs().max())
