"""Images from prompts, as the model's users get them: by the pipeline itself, with one setting for all figures."""

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor

from recipes.pocket.architecture import NATIVE_SIZE

STEPS = 20
FEW_STEPS = 6
GUIDANCE = 4.0


def render(
    pipe: StableDiffusionXLPipeline,
    prompts: list[str],
    seed: int,
    steps: int | None = None,
    size: tuple[int, int] = (NATIVE_SIZE, NATIVE_SIZE),
) -> Tensor:
    """One image a prompt, from -1 to 1, in `STEPS` or `steps` steps; the seed counts up from prompt to prompt."""
    generators = [torch.Generator().manual_seed(seed + index) for index in range(len(prompts))]
    shown: Tensor = pipe(
        prompts,
        width=size[0],
        height=size[1],
        num_inference_steps=steps or STEPS,
        guidance_scale=GUIDANCE,
        generator=generators,
        output_type="pt",
    ).images
    return shown * 2 - 1
