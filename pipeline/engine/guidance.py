"""Classifier-free guidance: the prediction of a request from what the denoiser says of its rows."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.requests.image_request import ImageRequest
from pipeline.transfer import to_device


def guided(rows: Tensor, requests: Sequence[ImageRequest]) -> Tensor:
    """The predictions of requests under classifier-free guidance (Ho and Salimans, 2022, arXiv 2207.12598), their
    spread brought back towards that of the conditional row (Lin et al., 2023, arXiv 2305.08891, eq. 15).

    Args:
        rows: one of each request without guidance, two of each with it, the unconditional one first.
        requests: say how strong the guidance is, and how much of the spread is brought back.

    Returns:
        A row of each request.
    """
    if len(rows) == len(requests):
        return rows
    if len(rows) == 2 * len(requests) and not any(request.guidance_rescale for request in requests):
        without, wanted = rows.view(-1, 2, *rows.shape[1:]).unbind(1)
        scales = to_device(torch.tensor([request.guidance_scale for request in requests]), rows.device)
        mixed: Tensor = without + scales[:, None, None, None] * (wanted - without)
        return mixed
    parts = torch.split(rows, [2 if request.guided else 1 for request in requests])
    return torch.cat([_guided(part, request) for part, request in zip(parts, requests, strict=True)])


def _guided(rows: Tensor, request: ImageRequest) -> Tensor:
    if len(rows) == 1:
        return rows
    without, wanted = rows.chunk(2)
    mixed = without + request.guidance_scale * (wanted - without)
    if request.guidance_rescale == 0:
        return mixed
    dims = tuple(range(1, rows.ndim))
    rescaled = mixed * (wanted.std(dim=dims, keepdim=True) / mixed.std(dim=dims, keepdim=True))
    return request.guidance_rescale * rescaled + (1 - request.guidance_rescale) * mixed
