"""From one layer's tensors to its change: which algorithm wrote them, and what they make of the base's weight."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.change import Change
from pipeline.lora.importing.parts import LayerTensors, Part
from pipeline.lora.importing.products import ReadBase, WrongShape, glora, loha, lokr, lora
from pipeline.lora.importing.rotations import boft, dora, ia3, oft


class Algorithm(StrEnum):
    """The algorithms that LoRA files are made with, as a card names them."""

    LORA = "LoRA"
    LOHA = "LoHa"
    LOKR = "LoKr"
    IA3 = "(IA)^3"
    GLORA = "GLoRA"
    OFT = "diag-OFT"
    BOFT = "BOFT"
    FULL = "full difference"
    NORM = "norm"
    DORA = "DoRA"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """The parts that an algorithm needs, those that it may have besides, and what it makes of them."""

    algorithm: Algorithm
    needs: frozenset[Part]
    may: frozenset[Part]
    make: Callable[[LayerTensors, BaseLayer, ReadBase], Change]


def change_of(tensors: LayerTensors, layer: BaseLayer, read_base: ReadBase) -> tuple[Change, frozenset[Algorithm]]:
    """What `tensors` (float64) do to `layer`, and the algorithms that they are of.

    `read_base` gives the base's weight in float64; only the algorithms that need it call it. Raises UserError naming
    the layer if parts are missing, unknown together, or of the wrong shape.
    """
    recipe = _recipe(tensors, layer)
    change = recipe.make(tensors, layer, read_base)
    algorithms = {recipe.algorithm}
    if Part.MAGNITUDE in tensors:
        change = dora(change, tensors[Part.MAGNITUDE], layer, read_base())
        algorithms.add(Algorithm.DORA)
    if Part.BIAS_DIFFERENCE in tensors:
        change = replace(change, bias=_shaped(tensors[Part.BIAS_DIFFERENCE], (layer.outputs,), layer))
    return change, frozenset(algorithms)


def _recipe(tensors: LayerTensors, layer: BaseLayer) -> _Recipe:
    parts = frozenset(tensors) - {Part.BIAS_DIFFERENCE}
    if layer.kind is LayerKind.NORM:
        known: tuple[_Recipe, ...] = (_NORM,)
    elif Part.BLOCKS in parts:
        known = {3: (_OFT,), 4: (_BOFT,)}.get(tensors[Part.BLOCKS].ndim, ())
    elif not parts:
        return _FULL
    else:
        known = _RECIPES
    fitting = [recipe for recipe in known if recipe.needs <= parts <= recipe.needs | recipe.may]
    if not fitting:
        raise UserError(_misfit(parts, layer))
    return fitting[0]


def _misfit(parts: frozenset[Part], layer: BaseLayer) -> str:
    lacking = [sorted(recipe.needs - parts) for recipe in _RECIPES if recipe.needs & parts and recipe.needs - parts]
    whole = any(recipe.needs <= parts for recipe in _RECIPES)
    if lacking and not whole and layer.kind is not LayerKind.NORM:
        missing, has = min(lacking, key=len)[0], min(parts)
        return f"This file is incomplete: {layer.name} has {has} without {missing}; download it again."
    return f"This file's tensors for {layer.name} ({min(parts)} and others) belong to no known algorithm together."


def _full(tensors: LayerTensors, layer: BaseLayer, _: ReadBase) -> Change:
    if Part.DIFFERENCE not in tensors:
        return Change()
    return Change(dense=_shaped(tensors[Part.DIFFERENCE], layer.shape, layer))


def _norm(tensors: LayerTensors, layer: BaseLayer, _: ReadBase) -> Change:
    weight = tensors.get(Part.NORM_DIFFERENCE, tensors.get(Part.DIFFERENCE))
    bias = tensors.get(Part.NORM_BIAS_DIFFERENCE)
    return Change(
        dense=None if weight is None else _shaped(weight, layer.shape, layer),
        bias=None if bias is None else _shaped(bias, layer.shape, layer),
    )


def _shaped(tensor: Tensor, shape: tuple[int, ...], layer: BaseLayer) -> Tensor:
    # A Linear's difference may be saved from a 1x1 convolution, or the other way around.
    if tuple(side for side in tensor.shape if side > 1) != tuple(side for side in shape if side > 1):
        raise WrongShape(layer)
    return tensor.reshape(shape)


_HADA: Final = frozenset({Part.HADA_1_UP, Part.HADA_1_DOWN, Part.HADA_2_UP, Part.HADA_2_DOWN})
_HADA_CORES: Final = frozenset({Part.HADA_1_CORE, Part.HADA_2_CORE})
_GLORA: Final = frozenset({Part.GLORA_A_UP, Part.GLORA_A_DOWN, Part.GLORA_B_UP, Part.GLORA_B_DOWN})
_KRON_1: Final = (frozenset({Part.KRON_1}), frozenset({Part.KRON_1_UP, Part.KRON_1_DOWN}))
_KRON_2: Final = (
    frozenset({Part.KRON_2}),
    frozenset({Part.KRON_2_UP, Part.KRON_2_DOWN}),
    frozenset({Part.KRON_2_UP, Part.KRON_2_DOWN, Part.KRON_2_CORE}),
)
_SCALED: Final = frozenset({Part.ALPHA, Part.MAGNITUDE})
_NONE: Final = frozenset[Part]()
_ROTATED: Final = frozenset({Part.RESCALE, Part.ALPHA})

_FULL: Final = _Recipe(algorithm=Algorithm.FULL, needs=frozenset({Part.DIFFERENCE}), may=_NONE, make=_full)
_OFT: Final = _Recipe(algorithm=Algorithm.OFT, needs=frozenset({Part.BLOCKS}), may=_ROTATED, make=oft)
_BOFT: Final = _Recipe(algorithm=Algorithm.BOFT, needs=frozenset({Part.BLOCKS}), may=_ROTATED, make=boft)
_NORM: Final = _Recipe(
    algorithm=Algorithm.NORM,
    needs=_NONE,
    may=frozenset({Part.NORM_DIFFERENCE, Part.NORM_BIAS_DIFFERENCE, Part.DIFFERENCE}),
    make=_norm,
)
_RECIPES: Final = (
    _Recipe(algorithm=Algorithm.LORA, needs=frozenset({Part.DOWN, Part.UP}), may=_SCALED | {Part.MID}, make=lora),
    _Recipe(algorithm=Algorithm.LOHA, needs=_HADA, may=_SCALED, make=loha),
    _Recipe(algorithm=Algorithm.LOHA, needs=_HADA | _HADA_CORES, may=_SCALED, make=loha),
    *(
        _Recipe(algorithm=Algorithm.LOKR, needs=first | second, may=_SCALED, make=lokr)
        for first in _KRON_1
        for second in _KRON_2
    ),
    _Recipe(algorithm=Algorithm.IA3, needs=frozenset({Part.GAIN, Part.GAIN_ON_INPUT}), may=_NONE, make=ia3),
    _Recipe(algorithm=Algorithm.GLORA, needs=_GLORA, may=frozenset({Part.ALPHA, Part.GLORA_B_MID}), make=glora),
    _FULL,
)
