"""What ControlNets add to the UNet's call: each row its own nets, maps, scales and windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from pipeline.control_use import ControlMode, ControlUse
from pipeline.map_drawing import map_of
from pipeline.prompt_encoder import Conditioning

_ROWS: Final = 4
"""A net's call has as many rows whatever the batch, so that a row never depends on how many others it controls."""

_SOFTER: Final = 0.825
"""How much each layer yields to the next one inwards where the prompt comes first, as in AUTOMATIC1111's extension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control of one request: `net` is a ControlNetModel, `hint` its map (1, 3, height, width), 0 to 1."""

    use: ControlUse
    net: Any
    hint: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlledRow:
    """A row of the batch and the control that works on it now."""

    row: int
    control: Control


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """What is added to the UNet's skip connections `down` and to its middle, for every row of the batch."""

    down: tuple[Tensor, ...]
    mid: Tensor


def hint_of(use: ControlUse, data: bytes, size: tuple[int, int]) -> Tensor:
    """The control map as a net reads it, from the bytes of a picture or of a map, in the request's `size`.

    Raises UserError if they are no picture, or one of which no map can be made.
    """
    return torch.from_numpy(np.asarray(map_of(use, data, size), dtype=np.float32).copy()).permute(2, 0, 1)[None] / 255


def rows_of(controls: Sequence[Control], rows: Sequence[int], position: tuple[int, int]) -> Iterator[ControlledRow]:
    """Which of a request's `rows` are controlled at call `position` (number, of how many), and by what.

    Where the control comes first it works on the conditional row alone, and so does a net that keeps no places
    (`global_pool_conditions`), as in diffusers.
    """
    number, count = position
    for control in controls:
        use = control.use
        if use.scale == 0 or number / count < use.start or (number + 1) / count > use.end:
            continue
        one_sided = use.mode is ControlMode.CONTROL or control.net.config.global_pool_conditions
        for row in rows[-1:] if one_sided else rows:
            yield ControlledRow(row=row, control=control)


def residuals_of(
    controlled: Sequence[ControlledRow], latents: Tensor, timesteps: Tensor, conditioning: Conditioning
) -> Residuals | None:
    """The sum of all nets' answers for all rows, zero where no control works; None where none works at all."""
    total: list[Tensor] | None = None
    size = min(_ROWS, len(latents))
    # In the order of names: a row's sum must not depend on whose net was loaded first.
    for kind in sorted({each.control.use.kind for each in controlled}):
        own = [each for each in controlled if each.control.use.kind == kind]
        for group in (own[first : first + size] for first in range(0, len(own), size)):
            answers = _call(group, size, latents, timesteps, conditioning)
            total = total or [answer.new_zeros(len(latents), *answer.shape[1:]) for answer in answers]
            for whole, answer in zip(total, answers, strict=True):
                for each, part in zip(group, answer, strict=False):
                    whole[each.row] += part
    if total is None:
        return None
    *down, mid = total
    return Residuals(down=tuple(down), mid=mid)


def _call(
    group: Sequence[ControlledRow], size: int, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
) -> list[Tensor]:
    """One call of a net for `group`, filled up to `size` rows; each answer weighted as its row asks."""
    net = group[0].control.net
    places = [each.row for each in group] + [group[0].row] * (size - len(group))
    hints = torch.cat([each.control.hint for each in group] + [group[0].control.hint] * (size - len(group)))
    added = None
    if conditioning.pooled is not None and conditioning.time_ids is not None:
        added = {"text_embeds": conditioning.pooled[places], "time_ids": conditioning.time_ids[places]}
    down, mid = net(
        latents[places],
        timesteps[places],
        encoder_hidden_states=conditioning.states[places],
        controlnet_cond=hints.to(latents.device, latents.dtype),
        added_cond_kwargs=added,
        return_dict=False,
    )
    answers = [*down, mid]
    weights = torch.stack([_weights(each.control, len(answers)) for each in group])
    weights = torch.cat([weights, weights[:1].expand(size - len(group), -1)]).to(latents.device, latents.dtype)
    return [answer * weights[:, number, None, None, None] for number, answer in enumerate(answers)]


def _weights(control: Control, layers: int) -> Tensor:
    """How much each layer's answer counts, the middle's last."""
    use = control.use
    match use.mode:
        case ControlMode.BALANCED:
            return torch.full((layers,), use.scale)
        case ControlMode.PROMPT:
            return use.scale * _SOFTER ** torch.arange(layers - 1, -1, -1)
        case ControlMode.CONTROL:
            # diffusers' guess mode.
            return torch.logspace(-1, 0, layers) * use.scale
