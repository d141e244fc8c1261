"""The same requests through the engine and through diffusers' own pipelines."""

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from torch import Tensor

from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.loaded_model import LoadedModel
from pipeline.requests.image_request import ImageRequest
from tests.pipeline.conftest import a_request
from tests.pipeline.samplers.references import DIFFUSERS, eta_of, scheduler_of

PIPELINES = {"pocket": StableDiffusionXLPipeline, "nano": StableDiffusionXLPipeline, "sd15": StableDiffusionPipeline}


def mixed_requests() -> list[ImageRequest]:
    """Every scheduler, with and without guidance, rescale, a negative prompt; steps, seeds, prompts differ."""
    guidance = cycle(((5.0, 0.0, ""), (1.0, 0.0, ""), (7.5, 0.6, "blue"), (0.0, 0.0, "")))
    prompts = cycle(("red fox, glossy style", "a very long prompt " * 6, "green apple"))
    requests = []
    for seed, scheduler in enumerate(DIFFUSERS):
        scale, rescale, negative = next(guidance)
        requests.append(
            a_request(
                prompt=next(prompts),
                negative_prompt=negative,
                steps=2 + seed % 3,
                guidance_scale=scale,
                guidance_rescale=rescale,
                scheduler=scheduler,
                seed=seed,
            )
        )
    return requests


def run_together(loaded_model: LoadedModel, requests: Sequence[ImageRequest], bucket: int) -> list[Tensor]:
    """All requests in one batch, each joining one step after the one before it."""
    memory = loaded_model.denoiser.open(bucket, pages=0)
    incoming = [loaded_model.begin(request, ()) for request in requests]
    everyone, running, free = list(incoming), list[DenoisingState](), iter(range(bucket))
    while incoming or running:
        if incoming:
            newcomer = incoming.pop(0)
            loaded_model.denoiser.assign(memory, newcomer, tuple(islice(free, newcomer.conditioning.rows)))
            running.append(newcomer)
        loaded_model.denoiser.advance(memory, running)
        running = [rendering for rendering in running if not rendering.sampler.finished]
    return [rendering.latents for rendering in everyone]


def load_pipeline(name: str, folder: Path) -> Any:
    pipeline = PIPELINES.get(name, StableDiffusionXLPipeline).from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def run_diffusers(pipeline: Any, request: ImageRequest, config: Any, **options: Any) -> Tensor:
    pipeline.scheduler = scheduler_of(request.scheduler, config)
    latents: Tensor = pipeline(
        request.prompt,
        negative_prompt=request.negative_prompt or None,
        width=request.width,
        height=request.height,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        guidance_rescale=request.guidance_rescale,
        generator=torch.Generator().manual_seed(request.seed),
        output_type="latent",
        **eta_of(request.scheduler),
        **options,
    ).images
    return latents


def changing_texts(pipeline: Any, texts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What makes a pipeline read another prompt and negative prompt at each of its calls."""
    embedded = [_embedded(pipeline, *both) for both in texts]

    def change(_: Any, call: int, __: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
        return given | embedded[min(call + 1, len(texts) - 1)]

    return {"callback_on_step_end": change, "callback_on_step_end_tensor_inputs": list(embedded[0])}


def guided_in(pipeline: Any, prompt: str, negative: str, scales: Sequence[float]) -> dict[str, Any]:
    """What gives a pipeline another strength of guidance at each of its calls, or none."""
    both = _embedded(pipeline, prompt, negative)
    if isinstance(pipeline, StableDiffusionXLPipeline):
        # As the pipeline has it for images of 64 pixels.
        both["add_time_ids"] = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)

    def change(own: Any, call: int, _: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
        scale = scales[min(call + 1, len(scales) - 1)]
        own._guidance_scale = scale
        return given | (both if scale > 1 else {name: tensor[1:] for name, tensor in both.items()})

    return {"callback_on_step_end": change, "callback_on_step_end_tensor_inputs": list(both)}


def _embedded(pipeline: Any, prompt: str, negative: str) -> dict[str, Tensor]:
    if isinstance(pipeline, StableDiffusionXLPipeline):
        states, none, pooled, none_pooled = pipeline.encode_prompt(prompt, negative_prompt=negative or None)
        return {
            "prompt_embeds": torch.cat([none, states]),
            "add_text_embeds": torch.cat([none_pooled, pooled]),
        }
    states, none = pipeline.encode_prompt(
        prompt, "cpu", 1, do_classifier_free_guidance=True, negative_prompt=negative or None
    )
    return {"prompt_embeds": torch.cat([none, states])}
