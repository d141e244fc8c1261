"""Training of the autoencoder: random crops first, whole images at the end, then latents of even spread."""

from collections.abc import Callable, Iterable

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from recipes.pocket.architecture import SCALING_FACTOR
from recipes.pocket.backgrounds import on_colour
from recipes.pocket.training import Plan

CROPS = Plan(steps=2400, batch=8, rate=2e-3, cooldown=0.5, average=0.995)
WHOLE = Plan(steps=150, batch=8, rate=5e-4, cooldown=1.0, average=0.98, seed=1)
DECODER = Plan(steps=450, batch=4, rate=1e-3, cooldown=1.0, average=0.99, seed=2)
CROP = 64
# Small enough for sharp images, large enough to make the decoder tolerate a slightly wrong latent.
KL_WEIGHT = 3e-4
# How far off, in deviations of the latents.
LATENT_NOISE = 0.05

Loss = Callable[[AutoencoderKL, Tensor, int, torch.Generator], Tensor]


def random_images(sprites: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Random icons on random colours, some of them mirrored."""
    flat = sprites.flatten(0, 1)
    chosen = flat[torch.randint(len(flat), (count,), generator=generator)]
    mirrored = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    chosen = torch.where(mirrored, chosen.flip(-1), chosen)
    return on_colour(chosen, torch.rand(count, 3, generator=generator))


def random_crops(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """One square of each image."""
    corners = torch.randint(images.shape[-1] - size + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack([p[:, y : y + size, x : x + size] for p, (y, x) in zip(images, corners, strict=True)])


def crop_loss(vae: AutoencoderKL, sprites: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """The loss on random crops, four times cheaper than whole images."""
    return _loss(vae, random_crops(random_images(sprites, batch, generator), CROP, generator), generator)


def whole_loss(vae: AutoencoderKL, sprites: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """The loss on whole images."""
    return _loss(vae, random_images(sprites, batch, generator), generator)


def _loss(vae: AutoencoderKL, shown: Tensor, generator: torch.Generator) -> Tensor:
    shown = shown.contiguous(memory_format=torch.channels_last)
    posterior = vae.encode(shown).latent_dist
    kl: Tensor = posterior.kl().mean() / posterior.mean[0].numel()
    return image_loss(vae.decode(posterior.sample(generator)).sample, shown) + KL_WEIGHT * kl


def decoder_loss(vae: AutoencoderKL, sprites: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """The decoder's loss on whole images whose latents are a little off, as a UNet's are."""
    shown = random_images(sprites, batch, generator).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        latents = vae.encode(shown).latent_dist.mean
    noise = torch.randn(latents.shape, generator=generator) * LATENT_NOISE / SCALING_FACTOR
    return image_loss(vae.decode(latents + noise).sample, shown)


def image_loss(decoded: Tensor, shown: Tensor) -> Tensor:
    """How far off colours and edges are."""
    edges = sum(functional.l1_loss(decoded.diff(dim=dim), shown.diff(dim=dim)) for dim in (-1, -2))
    return functional.l1_loss(decoded, shown) + edges


@torch.no_grad()
def even_latents(vae: AutoencoderKL, images: Tensor) -> None:
    """Rescales encoder and decoder so that scaled latents have mean 0 and deviation 1 in every channel."""
    means = torch.cat([vae.encode(part).latent_dist.mean for part in torch.split(images, 16)])
    centre = means.mean(dim=(0, 2, 3))
    spread = means.std(dim=(0, 2, 3)) * SCALING_FACTOR
    channels = len(centre)
    before, after = vae.quant_conv, vae.post_quant_conv
    after.bias.add_(after.weight[:, :, 0, 0] @ centre)
    after.weight.mul_(spread[None, :, None, None])
    before.bias[:channels].sub_(centre)
    before.weight[:channels].div_(spread[:, None, None, None])
    before.bias[:channels].div_(spread)
    before.bias[channels:].sub_(2 * spread.log())


@torch.no_grad()
def encode_all(vae: AutoencoderKL, batches: Iterable[Tensor]) -> Tensor:
    """The scaled latents of batches of images, as half-precision numbers."""
    return torch.cat([(vae.encode(part).latent_dist.mean * SCALING_FACTOR).half() for part in batches])


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """The images after encoding and decoding."""
    decoded: Tensor = vae.decode(vae.encode(images).latent_dist.mean).sample
    return decoded.clamp(-1, 1)
