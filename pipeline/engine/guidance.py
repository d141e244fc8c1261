"""Guidance: the prediction of a request from what the denoiser says of its rows."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.requests.image_request import ImageRequest
from pipeline.transfer import to_device


def guided(rows: Tensor, requests: Sequence[ImageRequest], steps: Sequence[int], *, distilled: bool = False) -> Tensor:
    """The predictions of requests under classifier-free guidance (Ho and Salimans, 2022, arXiv 2207.12598) and
    perturbed-attention guidance (Ahn et al., 2024, arXiv 2403.17377), their spread brought back towards that of the
    conditional row (Lin et al., 2023, arXiv 2305.08891, eq. 15).

    Args:
        rows: of each request the unconditional one where it is guided, the conditional, and the perturbed one where it
            has one.
        requests: say how strong the guidance is, and how much of the spread is brought back.
        steps: of each request, from 0; outside of its window the guided row counts alone.
        distilled: the model is told of the guidance instead, and has no unconditional rows.

    Returns:
        A row of each request.
    """
    if len(rows) == len(requests):
        return rows
    at = zip(requests, steps, strict=True)
    scales = [1.0 if distilled else request.guidance_at(step) for request, step in at]
    if 1.0 not in scales and not any(request.guidance_rescale or request.perturbed for request in requests):
        without, wanted = rows.view(-1, 2, *rows.shape[1:]).unbind(1)
        factors = to_device(torch.tensor(scales), rows.device)
        mixed: Tensor = without + factors[:, None, None, None] * (wanted - without)
        return mixed
    parts = torch.split(rows, [request.rows - (distilled and request.guided) for request in requests])
    return torch.cat([_guided(*each) for each in zip(parts, requests, scales, strict=True)])


def _guided(rows: Tensor, request: ImageRequest, scale: float) -> Tensor:
    wanted = rows[len(rows) - 1 - request.perturbed :][:1]
    mixed = wanted if scale == 1 else rows[:1] + scale * (wanted - rows[:1])
    if request.perturbed:
        mixed = mixed + request.pag_scale * (wanted - rows[-1:])
    if request.guidance_rescale == 0 or scale == 1:
        return mixed
    dims = tuple(range(1, rows.ndim))
    rescaled = mixed * (wanted.std(dim=dims, keepdim=True) / mixed.std(dim=dims, keepdim=True))
    return request.guidance_rescale * rescaled + (1 - request.guidance_rescale) * mixed
