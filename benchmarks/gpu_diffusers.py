"""diffusers' documented ways of serving LoRAs and of training one, on the same model, LoRAs and device."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from diffusers import DDPMScheduler, StableDiffusionXLPipeline
from peft import LoraConfig
from torch.nn import functional

from benchmarks.gpu_model import LORAS, RANKS, Assets, synchronize

SCRIPT_LAYERS: Final = ("to_k", "to_q", "to_v", "to_out.0")
OUR_LAYERS: Final = (*SCRIPT_LAYERS, "net.0.proj", "net.2", "proj_in", "proj_out")


class Pipeline:
    """StableDiffusionXLPipeline with what its documentation shows for LoRAs."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self.pipeline: Any = StableDiffusionXLPipeline.from_pretrained(assets.model, torch_dtype=assets.dtype)
        self.pipeline.to(assets.device)
        self.pipeline.set_progress_bar_config(disable=True)

    def documented(self, number: int) -> tuple[float, float]:
        """Load, fuse, run, unfuse, unload: wall seconds of everything, and of all but the run."""
        began = time.perf_counter()
        self.pipeline.load_lora_weights(self._assets.diffusers_lora(number % LORAS), adapter_name="one")
        self.pipeline.fuse_lora()
        synchronize(self._assets.device)
        run = self.run(number)
        self.pipeline.unfuse_lora()
        self.pipeline.unload_lora_weights()
        synchronize(self._assets.device)
        whole = time.perf_counter() - began
        return whole, whole - run

    def begin_hotswap(self, *, compiled: bool) -> None:
        """Load the first adapter so that later ones take its place."""
        self.pipeline.enable_lora_hotswap(target_rank=max(RANKS))
        self.pipeline.load_lora_weights(self._assets.diffusers_lora(0), adapter_name="one")
        if compiled:
            self.pipeline.unet.compile_repeated_blocks(fullgraph=True)

    def hotswapped(self, number: int) -> tuple[float, float]:
        """Swap, run: wall seconds of both, and of the swap."""
        began = time.perf_counter()
        self.pipeline.load_lora_weights(self._assets.diffusers_lora(number % LORAS), adapter_name="one", hotswap=True)
        synchronize(self._assets.device)
        swap = time.perf_counter() - began
        return swap + self.run(number), swap

    def run(self, number: int, steps: int | None = None) -> float:
        """Wall seconds of one call for one image."""
        size = self._assets.size
        began = time.perf_counter()
        self.pipeline(
            f"red fox number {number}",
            width=size.side,
            height=size.side,
            num_inference_steps=steps or size.steps,
            guidance_scale=5.0,
            generator=torch.Generator().manual_seed(number),
        )
        synchronize(self._assets.device)
        return time.perf_counter() - began


def train_as_script(assets: Assets, rank: int, layers: Sequence[str]) -> list[float]:
    """Wall seconds of each step of the loop of diffusers' `train_dreambooth_lora_sdxl.py`, behind the first two.

    As it comes by default: the image is encoded in float32 at every step, the prompt once; AdamW over the LoRA's
    float32 weights, the rest in half precision under autocast; one image a batch.
    """
    device, side = assets.device, assets.size.side
    pipeline = Pipeline(assets).pipeline
    unet, vae = pipeline.unet, pipeline.vae.to(torch.float32)
    for module in (unet, vae, pipeline.text_encoder, pipeline.text_encoder_2):
        module.requires_grad_(requires_grad=False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(layers)))
    parameters = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    image = torch.rand(1, 3, side, side) * 2 - 1
    states, _, pooled, _ = pipeline.encode_prompt("a photo of sks dog", do_classifier_free_guidance=False)
    time_ids = torch.tensor([[side, side, 0, 0, side, side]], device=device, dtype=states.dtype)
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    unet.train()

    def step() -> None:
        latents = vae.encode(image.to(device)).latent_dist.sample() * vae.config.scaling_factor
        noise = torch.randn_like(latents)
        at = torch.randint(0, scheduler.config.num_train_timesteps, (1,), device=device)
        noisy = scheduler.add_noise(latents, noise, at)
        with torch.autocast(device.type, assets.dtype, enabled=device.type == "cuda"):
            said = unet(noisy, at, states, added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}).sample
        functional.mse_loss(said.float(), noise).backward()  # type: ignore[no-untyped-call]  # torch's own
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return [timed(step, device) for _ in range(2 + assets.size.training_steps)][2:]


def timed(step: Callable[[], object], device: torch.device) -> float:
    """Wall seconds of one `step`, to the device's own end of it."""
    synchronize(device)
    began = time.perf_counter()
    step()
    synchronize(device)
    return time.perf_counter() - began
