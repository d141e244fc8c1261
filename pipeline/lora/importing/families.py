"""What a file is made for, by its tensors' names and shapes; what is no LoRA for this base is refused."""

import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.importing.base_model_layers import SDXL_TWINS
from pipeline.lora.importing.base_models import LayerShape, bases_of, flat_name
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.other_algorithms import refuse_other_tensors
from pipeline.lora.importing.parts import TensorRole, split_name
from pipeline.lora.importing.report import clean
from pipeline.lora.importing.stated_bases import stated_bases


def _patterns(*pairs: tuple[str, str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern, re.ASCII), words) for pattern, words in pairs)


_QUANTISED: Final = "quantised; add an fp16, bf16 or fp32 version"
_WHOLE: Final = "a whole checkpoint; add it as a model"
# A tensor whose name holds the pattern says that the file is no LoRA at all.
_OTHER_KINDS: Final = _patterns(
    (r"lora_controlnet|^control_model\.|controlnet_cond_embedding|^controlnet_", "a ControlNet; add it as one"),
    (r"motion_modules?\.", "an animation module, which Limner does not use"),
    (r"^(ip_adapter|image_proj)\.", "an IP-Adapter, which is no LoRA"),
    (r"^adapter\.body\.|^body\.\d+\.block1", "a T2I-Adapter, which is no LoRA"),
    (r"\.(absmax|quant_map|quant_state\..*|qweight|qzeros|scales|comfy_quant)$|^scaled_fp8$", _QUANTISED),
    (r"\.(weight_scale(_inv)?|weight\.scale|input_scale|scale_(weight|input))$", _QUANTISED),
    (r"^(model\.diffusion_model|first_stage_model|cond_stage_model|conditioner)\.", _WHOLE),
    (r"^(encoder|decoder)\.(down|up|mid|conv_in|conv_out)|^(post_)?quant_conv\.", "a VAE, which is no LoRA"),
    (r"^(model\.1\.sub|body\.0\.rdb|conv_first|params_ema)", "an upscaler, which is no LoRA"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFor:
    """The bases that a file may be made for, as people write them; none where nothing says it."""

    bases: frozenset[str]

    def refuse_other_than(self, family: ModelFamily) -> None:
        """Check that the file may be for a base of this family.

        Args:
            family: of the base.

        Raises:
            UserError: the file is clearly made for another one.
        """
        if self.bases and FAMILIES[family].name not in self.bases:
            *others, last = sorted(self.bases - SDXL_TWINS or self.bases)
            words = f"{', '.join(others)} or {last}" if others else last
            raise UserError(f"This LoRA is made for {words}; this server runs {FAMILIES[family].name}.")


def refuse_other_kinds(layers: FileLayers) -> None:
    """Check that a file is not a model, or a part of one.

    Args:
        layers: of the file.

    Raises:
        UserError: says what it is instead of a LoRA.
    """
    refuse_other_tensors(layers.file.tensors)
    for name in layers.file.tensors:
        split = split_name(name)
        is_part = split is not None and split[1] is not TensorRole.GAIN
        for pattern, words in _OTHER_KINDS:
            if pattern.search(name) and not (is_part and words is _WHOLE):
                raise UserError(f"This file is {words}.")
    if layers.layers and layers.weights_only:
        raise UserError("This file holds a model's own weights, not changes of them; add it as a model.")
    if (own := layers.own_weight) is not None:
        raise UserError(
            f"This file holds a model's own weights beside changes of them, such as {clean(own, 60)}; "
            "save the LoRA alone."
        )


def made_for(layers: FileLayers, *stated: str) -> MadeFor:
    """The base of a file: by the names and shapes of its layers; where these fit several bases or none, by what its
    metadata or its page state.

    Args:
        layers: of the file.
        *stated: what the page that it came from, and its adapter config, say that it is for.

    Returns:
        The bases, if anything says it.
    """
    shapes = [_shape(layers, name) for name in layers.layers]
    others = [LayerShape(name=flat_name(name), inputs=0, outputs=0) for name in layers.unknown]
    bases = bases_of((*shapes, *others))
    own = FAMILIES.values()
    for base in stated_bases(layers.file.metadata, *stated):
        # SDXL's layers are another model's, too, which only words can tell.
        if base in bases or not bases or (base in SDXL_TWINS and any(family.name in bases for family in own)):
            return MadeFor(bases=frozenset({base}))
    return MadeFor(bases=bases)


def _shape(layers: FileLayers, name: str) -> LayerShape:
    inputs, outputs = sides(layers, name)
    return LayerShape(name=flat_name(name), inputs=inputs, outputs=outputs)


_IN: Final = (TensorRole.DOWN, TensorRole.HADA_1_DOWN, TensorRole.DIFFERENCE, TensorRole.GLORA_B_DOWN)
_OUT: Final = (TensorRole.UP, TensorRole.HADA_1_UP, TensorRole.DIFFERENCE, TensorRole.GLORA_B_UP)


def sides(layers: FileLayers, name: str) -> tuple[int, int]:
    """The input and output channels of a layer.

    Args:
        layers: of the file.
        name: of the layer, as the file writes it.

    Returns:
        0 where its parts do not show them.
    """
    parts = layers.layers[name]
    if TensorRole.MID in parts or TensorRole.HADA_1_CORE in parts:
        return 0, 0  # where a core stands between them, the halves lie otherwise
    inputs = _kron(
        layers, name, 1, (TensorRole.KRON_1, TensorRole.KRON_1_DOWN), (TensorRole.KRON_2, TensorRole.KRON_2_DOWN)
    )
    outputs = _kron(
        layers, name, 0, (TensorRole.KRON_1, TensorRole.KRON_1_UP), (TensorRole.KRON_2, TensorRole.KRON_2_UP)
    )
    return _side(layers, name, 1, _IN) or inputs, _side(layers, name, 0, _OUT) or outputs


def _side(layers: FileLayers, name: str, axis: int, parts: tuple[TensorRole, ...]) -> int:
    for part in parts:
        if (header := layers.header(name, part)) is not None and len(header.shape) >= 2:
            return header.shape[axis]
    return 0


def _kron(
    layers: FileLayers, name: str, axis: int, first: tuple[TensorRole, ...], second: tuple[TensorRole, ...]
) -> int:
    return _side(layers, name, axis, first) * _side(layers, name, axis, second)
