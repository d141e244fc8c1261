"""From one layer's tensors to its update: which algorithm wrote them, and the parts that they become."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.format.parts import Change, Difference, Part
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.parts import LayerTensors, TensorRole
from pipeline.lora.importing.products import WrongShape, glora, loha, lokr, lora
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
    """The parts that an algorithm needs, those that it may have too, and the function that reads them."""

    algorithm: Algorithm
    needs: frozenset[TensorRole]
    may: frozenset[TensorRole]
    make: Callable[[LayerTensors, BaseLayer], "LayerChange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """The update of one layer: the parts that change its weight, what is added to a norm's `gain` or to a `bias`, and
    the algorithms that it was made with.
    """

    parts: tuple[Part, ...] = ()
    gain: Tensor | None = None
    bias: Tensor | None = None
    algorithms: frozenset[Algorithm] = frozenset()


def change_of(tensors: LayerTensors, layer: BaseLayer) -> LayerChange:
    """The update that a file's tensors describe for one layer.

    Args:
        tensors: the layer's parts, in float64.
        layer: of the base.

    Returns:
        The update; nothing in it depends on the base's weight.

    Raises:
        UserError: names the layer whose parts are missing, belong to no one algorithm, or have the wrong shape.
    """
    recipe = _recipe(tensors, layer)
    change = recipe.make(tensors, layer)
    algorithms = {recipe.algorithm}
    if TensorRole.MAGNITUDE in tensors:
        magnitude = dora(tensors[TensorRole.MAGNITUDE], layer)
        change = replace(change, parts=tuple(replace(part, magnitude=magnitude) for part in change.parts))
        algorithms.add(Algorithm.DORA)
    if TensorRole.BIAS_DIFFERENCE in tensors:
        change = replace(change, bias=_shaped(tensors[TensorRole.BIAS_DIFFERENCE], (layer.outputs,), layer))
    return replace(change, algorithms=frozenset(algorithms))


def _recipe(tensors: LayerTensors, layer: BaseLayer) -> _Recipe:
    parts = frozenset(tensors) - {TensorRole.BIAS_DIFFERENCE}
    if layer.kind is LayerKind.NORM:
        known: tuple[_Recipe, ...] = () if any(both <= tensors.keys() for both in _NORM_TWICE) else (_NORM,)
    elif TensorRole.BLOCKS in parts:
        known = {3: (_OFT,), 4: (_BOFT,)}.get(tensors[TensorRole.BLOCKS].ndim, ())
    elif not parts:
        return _FULL
    else:
        known = _RECIPES
    fitting = [recipe for recipe in known if recipe.needs <= parts <= recipe.needs | recipe.may]
    if not fitting:
        raise UserError(_misfit(parts, layer))
    return fitting[0]


def _misfit(parts: frozenset[TensorRole], layer: BaseLayer) -> str:
    lacking = [sorted(recipe.needs - parts) for recipe in _RECIPES if recipe.needs & parts and recipe.needs - parts]
    whole = any(recipe.needs <= parts for recipe in _RECIPES)
    if lacking and not whole and layer.kind is not LayerKind.NORM:
        missing, has = min(lacking, key=len)[0], min(parts)
        return f"This file is incomplete: {layer.name} has {has} without {missing}; download it again."
    return f"This file's tensors for {layer.name} ({min(parts)} and others) belong to no known algorithm together."


def _one(make: Callable[[LayerTensors, BaseLayer], Change]) -> Callable[[LayerTensors, BaseLayer], LayerChange]:
    return lambda tensors, layer: LayerChange(parts=(Part(change=make(tensors, layer)),))


def _glora(tensors: LayerTensors, layer: BaseLayer) -> LayerChange:
    return LayerChange(parts=tuple(Part(change=change) for change in glora(tensors, layer)))


def _full(tensors: LayerTensors, layer: BaseLayer) -> LayerChange:
    if TensorRole.DIFFERENCE not in tensors:
        return LayerChange()
    return LayerChange(
        parts=(Part(change=Difference(values=_shaped(tensors[TensorRole.DIFFERENCE], layer.shape, layer))),)
    )


def _norm(tensors: LayerTensors, layer: BaseLayer) -> LayerChange:
    weight = tensors.get(TensorRole.NORM_DIFFERENCE, tensors.get(TensorRole.DIFFERENCE))
    bias = tensors.get(TensorRole.NORM_BIAS_DIFFERENCE)
    return LayerChange(
        gain=None if weight is None else _shaped(weight, layer.shape, layer),
        bias=None if bias is None else _shaped(bias, layer.shape, layer),
    )


def _shaped(tensor: Tensor, shape: tuple[int, ...], layer: BaseLayer) -> Tensor:
    # A Linear's difference may be saved from a 1x1 convolution, or the other way around.
    if tuple(side for side in tensor.shape if side > 1) != tuple(side for side in shape if side > 1):
        raise WrongShape(layer)
    return tensor.reshape(shape)


_HADA: Final = frozenset({TensorRole.HADA_1_UP, TensorRole.HADA_1_DOWN, TensorRole.HADA_2_UP, TensorRole.HADA_2_DOWN})
_HADA_CORES: Final = frozenset({TensorRole.HADA_1_CORE, TensorRole.HADA_2_CORE})
_GLORA: Final = frozenset(
    {TensorRole.GLORA_A_UP, TensorRole.GLORA_A_DOWN, TensorRole.GLORA_B_UP, TensorRole.GLORA_B_DOWN}
)
_KRON_1: Final = (frozenset({TensorRole.KRON_1}), frozenset({TensorRole.KRON_1_UP, TensorRole.KRON_1_DOWN}))
_KRON_2: Final = (
    frozenset({TensorRole.KRON_2}),
    frozenset({TensorRole.KRON_2_UP, TensorRole.KRON_2_DOWN}),
    frozenset({TensorRole.KRON_2_UP, TensorRole.KRON_2_DOWN, TensorRole.KRON_2_CORE}),
)
_SCALED: Final = frozenset({TensorRole.ALPHA, TensorRole.MAGNITUDE})
_NONE: Final = frozenset[TensorRole]()
_ROTATED: Final = frozenset({TensorRole.RESCALE, TensorRole.ALPHA})

_FULL: Final = _Recipe(algorithm=Algorithm.FULL, needs=frozenset({TensorRole.DIFFERENCE}), may=_NONE, make=_full)
_OFT: Final = _Recipe(algorithm=Algorithm.OFT, needs=frozenset({TensorRole.BLOCKS}), may=_ROTATED, make=_one(oft))
_BOFT: Final = _Recipe(algorithm=Algorithm.BOFT, needs=frozenset({TensorRole.BLOCKS}), may=_ROTATED, make=_one(boft))
_NORM: Final = _Recipe(
    algorithm=Algorithm.NORM,
    needs=_NONE,
    may=frozenset({TensorRole.NORM_DIFFERENCE, TensorRole.NORM_BIAS_DIFFERENCE, TensorRole.DIFFERENCE}),
    make=_norm,
)
_NORM_TWICE: Final = (
    {TensorRole.NORM_DIFFERENCE, TensorRole.DIFFERENCE},
    {TensorRole.NORM_BIAS_DIFFERENCE, TensorRole.BIAS_DIFFERENCE},
)
_RECIPES: Final = (
    _Recipe(
        algorithm=Algorithm.LORA,
        needs=frozenset({TensorRole.DOWN, TensorRole.UP}),
        may=_SCALED | {TensorRole.MID},
        make=_one(lora),
    ),
    _Recipe(algorithm=Algorithm.LOHA, needs=_HADA, may=_SCALED, make=_one(loha)),
    _Recipe(algorithm=Algorithm.LOHA, needs=_HADA | _HADA_CORES, may=_SCALED, make=_one(loha)),
    *(
        _Recipe(algorithm=Algorithm.LOKR, needs=first | second, may=_SCALED, make=_one(lokr))
        for first in _KRON_1
        for second in _KRON_2
    ),
    _Recipe(
        algorithm=Algorithm.IA3, needs=frozenset({TensorRole.GAIN, TensorRole.GAIN_ON_INPUT}), may=_NONE, make=_one(ia3)
    ),
    _Recipe(
        algorithm=Algorithm.GLORA, needs=_GLORA, may=frozenset({TensorRole.ALPHA, TensorRole.GLORA_B_MID}), make=_glora
    ),
    _FULL,
)
