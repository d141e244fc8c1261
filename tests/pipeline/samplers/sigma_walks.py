"""Samplers in float64 and in units of the signal, as the papers and k-diffusion write them down: for those, and for the
spacings, that diffusers has not.
"""

from collections.abc import Callable
from itertools import pairwise
from math import exp, expm1, log, sqrt
from typing import Final

import torch
from torch import Tensor

from pipeline.requests.image_request import Scheduler
from pipeline.samplers.sampler import Sampler
from tests.pipeline.samplers.numerical_model import answer

Denoised = Callable[[Tensor, float], Tensor]
Noise = Callable[[], Tensor]


def walked_by_sigma(sampler: Sampler) -> Tensor:
    """Where a walk through the same noise levels ends, from the same noise."""
    generator = torch.Generator().manual_seed(0)
    levels = sampler._path.levels
    sigmas = [level.sigma for level in levels]
    times = {level.sigma: level.timestep for level in levels}

    def noise() -> Tensor:
        return torch.randn(1, 4, 4, 4, generator=generator).double()

    def denoised(latents: Tensor, sigma: float) -> Tensor:
        near = min(times, key=lambda each: abs(each - sigma))
        time = times[near] if abs(near - sigma) < 1e-9 else sampler._path.table.of_sigma(sigma).timestep
        said = answer(latents / sqrt(1 + sigma**2), time)
        if sampler.prediction == "epsilon":
            return latents - sigma * said
        return (latents - sigma * sqrt(1 + sigma**2) * said) / (1 + sigma**2)

    scale = sampler.noise_scale * (1.0 if sampler.euler else sqrt(1 + sigmas[0] ** 2))
    begun = noise() * scale if sampler.whole else 1 + sigmas[0] * noise()
    return WALKS[sampler.kind](denoised, begun, sigmas, noise)


def euler(denoised: Denoised, latents: Tensor, sigmas: list[float], _: Noise) -> Tensor:
    for here, to in pairwise(sigmas):
        latents = latents + (to - here) / here * (latents - denoised(latents, here))
    return latents


def _ancestral(here: float, to: float) -> tuple[float, float]:
    up = min(to, sqrt(to**2 * (here**2 - to**2) / here**2))
    return sqrt(to**2 - up**2), up


def euler_a(denoised: Denoised, latents: Tensor, sigmas: list[float], noise: Noise) -> Tensor:
    for here, to in pairwise(sigmas):
        down, up = _ancestral(here, to)
        latents = latents + (down - here) / here * (latents - denoised(latents, here))
        latents = latents + up * noise() if to else latents
    return latents


def dpmpp_2s_a(denoised: Denoised, latents: Tensor, sigmas: list[float], noise: Noise) -> Tensor:
    for here, to in pairwise(sigmas):
        guess = denoised(latents, here)
        if not to:
            return guess
        down, up = _ancestral(here, to)
        length = log(here) - log(down)
        middle = exp((log(here) + log(down)) / 2)
        between = middle / here * latents - expm1(-length / 2) * guess
        latents = down / here * latents - expm1(-length) * denoised(between, middle) + up * noise()
    return latents


def dpmpp_sde(denoised: Denoised, latents: Tensor, sigmas: list[float], noise: Noise) -> Tensor:
    for here, to in pairwise(sigmas):
        guess = denoised(latents, here)
        if not to:
            return guess
        middle = exp((log(here) + log(to)) / 2)
        down, up = _ancestral(here, middle)
        between = down / here * latents - expm1(log(down) - log(here)) * guess + up * noise()
        down, up = _ancestral(here, to)
        latents = down / here * latents - expm1(log(down) - log(here)) * denoised(between, middle) + up * noise()
    return latents


def dpmpp_3m_sde(denoised: Denoised, latents: Tensor, sigmas: list[float], noise: Noise) -> Tensor:
    guesses: list[Tensor] = []
    lengths: list[float] = []
    for here, to in pairwise(sigmas):
        guesses.append(denoised(latents, here))
        if not to:
            return guesses[-1]
        length = log(here) - log(to)
        latents = exp(-2 * length) * latents - expm1(-2 * length) * guesses[-1]
        second = expm1(-2 * length) / (2 * length) + 1
        slopes = [
            (later - earlier) / (lasted / length)
            for later, earlier, lasted in zip(guesses[:0:-1], guesses[-2::-1], lengths[::-1], strict=True)
        ]
        if len(slopes) == 1:
            latents = latents + second * slopes[0]
        elif slopes:
            near, far = lengths[-1] / length, lengths[-2] / length
            bend = (slopes[0] - slopes[1]) / (near + far)
            latents = latents + second * (slopes[0] + bend * near) - (second / (2 * length) - 0.5) * bend
        latents = latents + to * sqrt(-expm1(-2 * length)) * noise()
        lengths.append(length)
    return latents


WALKS: Final[dict[Scheduler, Callable[[Denoised, Tensor, list[float], Noise], Tensor]]] = {
    Scheduler.EULER: euler,
    Scheduler.DDIM: euler,
    Scheduler.EULER_A: euler_a,
    Scheduler.DPMPP_2S_A: dpmpp_2s_a,
    Scheduler.DPMPP_SDE: dpmpp_sde,
    Scheduler.DPMPP_3M_SDE: dpmpp_3m_sde,
}
