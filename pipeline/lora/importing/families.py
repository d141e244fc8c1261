"""What a file is made for, by its tensors' names and shapes; what is no LoRA for this base is refused."""

import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.families.sd import SD15
from pipeline.families.sdxl import SDXL
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.parts import TensorRole

_REFINER: Final = "the SDXL refiner"
_SD2: Final = "SD 2"
_OTHER_WIDTHS: Final = {1024: _SD2, 1280: _REFINER}
_BY_CONTEXT: Final = {own.cross_attention_width: own.name for own in FAMILIES.values()} | _OTHER_WIDTHS
_CONTEXT_LAYER: Final = re.compile(r".*attn2[._]to_[kv]")


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
    (r"\.(absmax|quant_map|quant_state\..*|qweight|qzeros|scales|weight_scale|scale_weight)$|^scaled_fp8$", _QUANTISED),
    (r"^(model\.diffusion_model|first_stage_model|cond_stage_model|conditioner)\.(?!.*(lora|hada|lokr|diff))", _WHOLE),
    (r"^(encoder|decoder)\.(down|up|mid|conv_in|conv_out)|^(post_)?quant_conv\.", "a VAE, which is no LoRA"),
    (r"^(model\.1\.sub|body\.0\.rdb|conv_first|params_ema)", "an upscaler, which is no LoRA"),
)  # fmt: skip

# A layer whose name holds the pattern says what base the LoRA is made for; the first that fits counts.
_OTHER_BASES: Final = _patterns(
    (r"img_mod[._]linear|token_refiner|hunyuan", "HunyuanVideo"),
    (r"distilled_guidance_layer", "Chroma"),
    (r"double_stream_blocks|single_stream_blocks", "HiDream"),
    (r"double_stream_modulation", "FLUX.2"),
    (r"double_blocks|single_blocks|single_transformer_blocks", "FLUX.1"),
    (r"joint_transformer_blocks", "AuraFlow"),
    (r"joint_blocks", "SD 3"),
    (r"(img|txt)_(mlp|mod)", "Qwen-Image"),
    (r"transformer_blocks[._]\d+[._]attn[._]add_[qkv]_proj|lora_te3|text_encoder_3", "SD 3"),
    (r"(?<!_)blocks[._]\d+[._](self_attn|cross_attn|ffn)", "Wan"),
    (r"prior[._]unet|lora_prior", "Stable Cascade"),
    (r"adaln_single|transformer_blocks[._]\d+[._]scale_shift", "PixArt"),
    (r"(?<!encoder[._])(?<!text_model[._])layers[._]\d+[._](attention|adaLN)|noise_refiner", "Z-Image or Lumina"),
    (r"^(lora_)?transformer[._]transformer_blocks[._]\d+[._]attn[12]", "LTX-Video"),
)  # fmt: skip

_SECOND_TEXT: Final = re.compile(r"lora_te2_|text_encoder_2\.")
_DEEP: Final = re.compile(r".*(attentions|blocks_\d_1|blocks\.\d\.1)[._].*transformer_blocks[._][2-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFor:
    """The base that a file is made for, as people write it; None where nothing says it."""

    base: str | None

    def refuse_other_than(self, family: ModelFamily) -> None:
        """Check that the file may be for a base of this family.

        Args:
            family: of the base.

        Raises:
            UserError: the file is clearly made for another one.
        """
        if self.base is not None and self.base != FAMILIES[family].name:
            raise UserError(f"This LoRA is made for {self.base}; this server runs {FAMILIES[family].name}.")


def refuse_other_kinds(layers: FileLayers) -> None:
    """Check that a file is not a model, or a part of one.

    Args:
        layers: of the file.

    Raises:
        UserError: says what it is instead of a LoRA.
    """
    for name in layers.file.tensors:
        for pattern, words in _OTHER_KINDS:
            if pattern.search(name):
                raise UserError(f"This file is {words}.")
    if layers.layers and layers.weights_only:
        raise UserError("This file holds a model's own weights, not changes of them; add it as a model.")


def made_for(layers: FileLayers) -> MadeFor:
    """The base of a file: by names of layers that only one base has, then by the width of its text, then by its
    metadata.

    Args:
        layers: of the file.

    Returns:
        The base, if anything says it.
    """
    for pattern, words in _OTHER_BASES:
        if any(pattern.search(name) for name in layers.layers):
            return MadeFor(base=words)
    for name in layers.layers:
        if _CONTEXT_LAYER.fullmatch(name) and (base := _BY_CONTEXT.get(_inputs(layers, name))) is not None:
            return MadeFor(base=base)
    if any(_SECOND_TEXT.match(name) or _DEEP.match(name) for name in layers.layers):
        return MadeFor(base=SDXL.name)
    return MadeFor(base=_from_metadata(layers.file.metadata))


def _inputs(layers: FileLayers, name: str) -> int:
    """The input channels of the layer that the file calls `name`; 0 where its parts do not show them."""
    for part in (TensorRole.DOWN, TensorRole.HADA_1_DOWN, TensorRole.DIFFERENCE, TensorRole.GLORA_B_DOWN):
        if (header := layers.header(name, part)) is not None and len(header.shape) >= 2:
            return header.shape[1]
    first = layers.header(name, TensorRole.KRON_1) or layers.header(name, TensorRole.KRON_1_DOWN)
    second = layers.header(name, TensorRole.KRON_2) or layers.header(name, TensorRole.KRON_2_DOWN)
    if first is not None and second is not None and len(first.shape) == len(second.shape) == 2:
        return first.shape[1] * second.shape[1]
    return 0


def _from_metadata(metadata: dict[str, str]) -> str | None:
    stated = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}".lower()
    for pattern, words in _STATED:
        if pattern.search(stated):
            return words
    return _SD2 if metadata.get("ss_v2") == "True" else None


_STATED: Final = _patterns(
    (r"flux", "FLUX.1"),
    (r"stable-diffusion-v?3|sd_?3", "SD 3"),
    (r"wan", "Wan"),
    (r"hunyuan", "HunyuanVideo"),
    (r"qwen", "Qwen-Image"),
    (r"refiner", _REFINER),
    (r"sdxl|stable-diffusion-xl", SDXL.name),
    (r"stable-diffusion-v2|sd_?2|sd_v2", _SD2),
    (r"stable-diffusion-v1|sd_?1|sd_v1", SD15.name),
)
