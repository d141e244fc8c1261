"""What ControlNets add to the UNet's call: each row its own nets, maps, scales and windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.control.union import is_union, union_arguments
from pipeline.requests.control import ControlKind, ControlMode, ControlUse
from pipeline.text.conditioning import Conditioning
from pipeline.transfer import to_device

_ROWS: Final = 4
"""A net's call has as many rows whatever the batch, so that a row never depends on how many others it controls."""

_SOFTER: Final = 0.825
"""How much each layer yields to the next one inwards where the prompt comes first, as in AUTOMATIC1111's extension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control of one request.

    `net` is a ControlNetModel, a ControlNetUnionModel or a T2IAdapter; `hint` is its map on the device, (1, 3, height,
    width), 0 to 1, `empty` if there is nothing in it; `features` is a T2I-Adapter's output for that map, a tensor for
    each block of the UNet, empty for the others.
    """

    use: ControlUse
    net: Any
    hint: Tensor
    features: tuple[Tensor, ...] = ()
    empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlledRow:
    """A row of the batch and what works on it in one call: one control, or several that a union net combines."""

    row: int
    controls: tuple[Control, ...]

    @property
    def maps(self) -> tuple[tuple[ControlKind, float], ...]:
        """The kinds that the call reads, each with the weight that the net itself gives it.

        Rows with equal maps share a call.
        """
        uses = [control.use for control in self.controls]
        return tuple((use.kind, use.scale if len(uses) > 1 else 1.0) for use in uses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """What is added to the UNet's call, for every row of the batch; None where no control adds to that place.

    `down` goes to the skip connections and `mid` to the middle block, both from ControlNets; `inner` goes to the
    outputs of the down blocks, from T2I-Adapters.
    """

    down: tuple[Tensor, ...] | None
    mid: Tensor | None
    inner: tuple[Tensor, ...] | None


def hint_of(drawing: Image.Image) -> Tensor:
    """A control map as a net reads it.

    Args:
        drawing: in RGB, in the request's size.

    Returns:
        (1, 3, height, width), 0 to 1, float32 on the CPU.
    """
    return torch.from_numpy(np.asarray(drawing, dtype=np.float32).copy()).permute(2, 0, 1)[None] / 255


def rows_of(
    controls: Sequence[Control], rows: Sequence[int], position: tuple[int, int], *, guided: bool
) -> Iterator[ControlledRow]:
    """Which rows of a request are controlled in one call of the denoiser, and by what.

    A control in mode CONTROL works on the conditional rows alone, as diffusers' guess mode does; so does a net with
    `global_pool_conditions`, whose effect has no place in the image.

    Args:
        controls: those of the request.
        rows: the request's rows in the batch.
        position: (number of the call from 0, number of calls), for the windows `start` and `end`.
        guided: whether the first of the rows is unconditional.

    Yields:
        Each row with the controls of one call of a net; a row controlled by several nets comes several times.
    """
    number, count = position
    working = [control for control in controls if _works(control.use, number / count, (number + 1) / count)]
    for together in _calls(working):
        one_sided = together[0].use.mode is ControlMode.CONTROL or together[0].net.config.get("global_pool_conditions")
        for row in rows[guided:] if one_sided else rows:
            yield ControlledRow(row=row, controls=together)


def _works(use: ControlUse, begins: float, ends: float) -> bool:
    return use.scale != 0 and begins >= use.start and ends <= use.end


def _calls(controls: Sequence[Control]) -> list[tuple[Control, ...]]:
    """Each control by itself, but those of one union net and one mode together, in the order of kinds."""
    calls: dict[object, list[Control]] = {}
    for control in sorted(controls, key=lambda control: control.use.kind):
        call = (id(control.net), control.use.mode) if is_union(control.net.config) else id(control)
        calls.setdefault(call, []).append(control)
    return [tuple(call) for call in calls.values()]


def residuals_of(
    controlled: Sequence[ControlledRow], latents: Tensor, timesteps: Tensor, conditioning: Conditioning
) -> Residuals | None:
    """The sum of what all controls add, for all rows of the batch.

    Args:
        controlled: the rows, in any order.
        latents: (rows, channels, height, width), as the UNet's call gets them.
        timesteps: (rows,).
        conditioning: of all rows.

    Returns:
        The sums, zero for rows without a control; None where no row has one.
    """
    inner = _inner([each for each in controlled if each.controls[0].features], len(latents))
    called = [each for each in controlled if not each.controls[0].features]
    if total := _answers(called, latents, timesteps, conditioning):
        *down, mid = total
        return Residuals(down=tuple(down), mid=mid, inner=inner)
    return None if inner is None else Residuals(down=None, mid=None, inner=inner)


def _inner(adapted: Sequence[ControlledRow], rows: int) -> tuple[Tensor, ...] | None:
    """What adapters add; they saw their maps before the first step."""
    total: list[Tensor] | None = None
    for each in adapted:
        (control,) = each.controls
        total = total or [feature.new_zeros(rows, *feature.shape[1:]) for feature in control.features]
        weights = _weights(each.controls, len(total)).tolist()
        for whole, feature, weight in zip(total, control.features, weights, strict=True):
            whole[each.row] += weight * feature[0]
    return None if total is None else tuple(total)


def _answers(
    controlled: Sequence[ControlledRow], latents: Tensor, timesteps: Tensor, conditioning: Conditioning
) -> list[Tensor]:
    """The sum of what ControlNets add, the middle's last; none where none works."""
    total: list[Tensor] = []
    size = min(_ROWS, len(latents))
    # In the order of names: a row's sum must not depend on whose net was loaded first.
    for maps in sorted({each.maps for each in controlled}):
        own = [each for each in controlled if each.maps == maps]
        for group in (own[first : first + size] for first in range(0, len(own), size)):
            answers = _call(group, size, latents, timesteps, conditioning)
            total = total or [answer.new_zeros(len(latents), *answer.shape[1:]) for answer in answers]
            for whole, answer in zip(total, answers, strict=True):
                for each, part in zip(group, answer, strict=False):
                    whole[each.row] += part
    return total


def _call(
    group: Sequence[ControlledRow], size: int, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
) -> list[Tensor]:
    """One call of a net for `group`, filled up to `size` rows; each answer weighted as its row asks."""
    filled = [*group, *[group[0]] * (size - len(group))]
    places = to_device(torch.tensor([each.row for each in filled]), latents.device)
    added = None
    if conditioning.pooled is not None and conditioning.time_ids is not None:
        pooled, time_ids = (part.index_select(0, places) for part in (conditioning.pooled, conditioning.time_ids))
        added = {"text_embeds": pooled, "time_ids": time_ids}
    down, mid = (
        group[0]
        .controls[0]
        .net(
            latents.index_select(0, places),
            timesteps.index_select(0, places),
            encoder_hidden_states=conditioning.states.index_select(0, places),
            added_cond_kwargs=added,
            return_dict=False,
            **_maps(filled),
        )
    )
    answers = [*down, mid]
    weights = torch.stack([_weights(each.controls, len(answers)) for each in filled])
    weights = to_device(weights, latents.device, latents.dtype)
    return [answer * weights[:, number, None, None, None] for number, answer in enumerate(answers)]


def _maps(rows: Sequence[ControlledRow]) -> dict[str, Any]:
    """The arguments of a net's call for the maps of `rows`."""
    hints = [
        torch.cat([control.hint for control in controls])
        for controls in zip(*(each.controls for each in rows), strict=True)
    ]
    config = rows[0].controls[0].net.config
    if not is_union(config):
        return {"controlnet_cond": hints[0]}
    kinds, scales = zip(*rows[0].maps, strict=True)
    return union_arguments(config, kinds, scales, hints)


def _weights(controls: Sequence[Control], layers: int) -> Tensor:
    """How much each layer's answer counts, the middle's last; several maps are weighed already."""
    scale = controls[0].use.scale if len(controls) == 1 else 1.0
    match controls[0].use.mode:
        case ControlMode.BALANCED:
            return torch.full((layers,), scale)
        case ControlMode.PROMPT:
            return scale * _SOFTER ** torch.arange(layers - 1, -1, -1)
        case ControlMode.CONTROL:
            # diffusers' guess mode.
            return torch.logspace(-1, 0, layers) * scale
