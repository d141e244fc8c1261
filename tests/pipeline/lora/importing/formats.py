"""Every format of LoRA file that there is, written for a tiny model, with what LyCORIS's forward makes of it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from tests.pipeline.lora.importing.oracle import Judged, bare, judge


def _of_unet(paths: Mapping[str, str]) -> dict[str, str]:
    return {f"unet.{path}": original for path, original in paths.items()}


_BLOCK = "transformer_blocks"
# Layers of SDXL's topology of every kind, by diffusers' path, with the names that Stability's code gives them.
ATTENTION = _of_unet(
    {
        f"down_blocks.1.attentions.0.{_BLOCK}.0.attn1.to_q": f"input_blocks.4.1.{_BLOCK}.0.attn1.to_q",
        f"down_blocks.2.attentions.1.{_BLOCK}.9.attn2.to_k": f"input_blocks.8.1.{_BLOCK}.9.attn2.to_k",
        f"up_blocks.0.attentions.2.{_BLOCK}.0.attn1.to_out.0": f"output_blocks.2.1.{_BLOCK}.0.attn1.to_out.0",
    }
)
LINEARS = ATTENTION | _of_unet(
    {
        "down_blocks.1.attentions.1.proj_in": "input_blocks.5.1.proj_in",
        f"down_blocks.1.attentions.0.{_BLOCK}.0.ff.net.0.proj": f"input_blocks.4.1.{_BLOCK}.0.ff.net.0.proj",
        "mid_block.attentions.0.proj_out": "middle_block.1.proj_out",
        "down_blocks.0.resnets.1.time_emb_proj": "input_blocks.2.0.emb_layers.1",
        "time_embedding.linear_1": "time_embed.0",
        "add_embedding.linear_2": "label_emb.0.2",
    }
)
CONVOLUTIONS = _of_unet(
    {
        "down_blocks.1.resnets.0.conv1": "input_blocks.4.0.in_layers.2",
        "down_blocks.1.resnets.0.conv_shortcut": "input_blocks.4.0.skip_connection",
        "up_blocks.2.resnets.0.conv2": "output_blocks.6.0.out_layers.3",
        "down_blocks.0.downsamplers.0.conv": "input_blocks.3.0.op",
        "up_blocks.1.upsamplers.0.conv": "output_blocks.5.2.conv",
        "conv_in": "input_blocks.0.0",
    }
)
NORMS = _of_unet(
    {
        "down_blocks.1.resnets.0.norm1": "input_blocks.4.0.in_layers.0",
        "down_blocks.1.attentions.0.transformer_blocks.0.norm2": "input_blocks.4.1.transformer_blocks.0.norm2",
    }
)
TEXTS = {
    "text_encoder.encoder.layers.0.self_attn.q_proj": "",
    "text_encoder.encoder.layers.1.mlp.fc1": "",
    "text_encoder_2.encoder.layers.2.self_attn.out_proj": "",
    "text_encoder_2.text_projection": "",
}
UNET = LINEARS | CONVOLUTIONS
ALL = UNET | TEXTS
SD15 = {
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v": "",
    "unet.down_blocks.1.attentions.0.proj_in": "",
    "unet.up_blocks.3.resnets.0.conv1": "",
    "text_encoder.encoder.layers.2.mlp.fc2": "",
}
SD15_TEXT_NORMS = {"text_encoder.encoder.layers.1.layer_norm1": "", "text_encoder.final_layer_norm": ""}
SD15_NORMS = {
    "unet.mid_block.attentions.0.transformer_blocks.0.norm3": "",
    "unet.conv_norm_out": "",
} | SD15_TEXT_NORMS

Tensors = dict[str, Tensor]
Network: TypeAlias = UNet2DConditionModel | CLIPTextModel | CLIPTextModelWithProjection
Spell = Callable[[str, str], str]

KOHYA_TEXTS = {"text_encoder": "lora_te1", "text_encoder_2": "lora_te2"}


def sgm(layer: str, part: str) -> str:
    network, _, path = layer.partition(".")
    return f"{_kohya(network, path, ALL.get(layer) or NORMS.get(layer) or '')}.{part}"


def kohya(layer: str, part: str) -> str:
    network, _, path = layer.partition(".")
    return f"{_kohya(network, path, path)}.{part}"


def kohya_sd15(layer: str, part: str) -> str:
    return kohya(layer, part).replace("lora_te1", "lora_te")


def lycoris(layer: str, part: str) -> str:
    return f"lycoris_{layer.removeprefix('unet.').replace('.', '_')}.{part}"


def comfy(layer: str, part: str) -> str:
    return f"diffusion_model.{ALL[layer]}.{part}"


def diffusers(layer: str, part: str) -> str:
    return f"{_wrapped(layer)}.{_renamed(part, 'lora.down.weight', 'lora.up.weight')}"


def diffusers_peft(layer: str, part: str) -> str:
    return f"{_wrapped(layer)}.{_renamed(part, 'lora_A.weight', 'lora_B.weight')}"


def of_2023(layer: str, part: str) -> str:
    layer = re.sub(r"\.to_(q|k|v|out)(\.0)?$", r".processor.to_\1_lora", layer)
    return f"{layer}.{_renamed(part, 'down.weight', 'up.weight')}"


def linear_layer(layer: str, part: str) -> str:
    return f"{_wrapped(layer)}.{_renamed(part, 'lora_linear_layer.down.weight', 'lora_linear_layer.up.weight')}"


def peft(layer: str, part: str) -> str:
    return f"base_model.model.{layer.removeprefix('unet.')}.{_peft_part(part)}"


def peft_named(layer: str, part: str) -> str:
    part = _renamed(part, "lora_A.default.weight", "lora_B.default.weight")
    return f"base_model.model.{layer.removeprefix('unet.')}.{part}"


def peft_in_unet(layer: str, part: str) -> str:
    return f"unet.base_model.model.{layer.removeprefix('unet.')}.{_peft_part(part)}"


def bare_names(layer: str, part: str) -> str:
    return f"{layer.removeprefix('unet.')}.{_peft_part(part)}"


def _kohya(network: str, path: str, unet_path: str) -> str:
    if network == "unet":
        return f"lora_unet_{unet_path}".replace(".", "_")
    own = path if path == "text_projection" else f"text_model.{path}"
    return f"{KOHYA_TEXTS[network]}_{own}".replace(".", "_")


def _wrapped(layer: str) -> str:
    return layer.replace(".encoder.", ".text_model.encoder.")


def _renamed(part: str, down: str, up: str) -> str:
    return {"lora_down.weight": down, "lora_up.weight": up}.get(part, part)


def _peft_part(part: str) -> str:
    return "lora_magnitude_vector" if part == "dora_scale" else _renamed(part, "lora_A.weight", "lora_B.weight")


@dataclass(frozen=True, kw_only=True)
class Format:
    """One row of the matrix.

    `algorithms` are LyCORIS's with their options, taken in turn over the `layers`; `edit` changes one layer's tensors
    before they are saved; `fit` says what the change then is, in place of the oracle's; `besides` is what else the file
    holds.
    """

    name: str
    algorithms: tuple[tuple[str, Mapping[str, Any]], ...]
    layout: str = "kohya, Stability's names"
    spell: Spell = sgm
    layers: Mapping[str, str] = field(default_factory=lambda: ALL)
    model: str = "nano"
    dtype: torch.dtype = torch.float32
    edit: Callable[[int, Tensors], Tensors] | None = None
    fit: Callable[[int, Tensors, Judged], Tensor] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    config: str | None = None
    besides: Callable[[Tensors], Tensors] | None = None


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file of a format: its path, and the change that it must make to each layer over its weight in `bases`."""

    path: Path
    bases: dict[str, Tensor]
    weights: dict[str, Tensor]
    biases: dict[str, Tensor]


def write(wanted: Format, model: Path, folder: Path) -> Written:
    """Write a file of the format for the model in the folder `model`."""
    networks = load_networks(model)
    tensors: Tensors = {}
    weights, biases, bases = {}, {}, {}
    for index, name in enumerate(wanted.layers):
        algorithm, options = wanted.algorithms[index % len(wanted.algorithms)]
        layer = bare(module_of(networks, name))
        bases[name] = layer.weight.detach()
        judged = judge(algorithm, layer, seed=index, dtype=wanted.dtype, **options)
        own = judged.tensors if wanted.edit is None else wanted.edit(index, judged.tensors)
        weights[name] = judged.weight if wanted.fit is None else wanted.fit(index, own, judged)
        if judged.bias is not None:
            biases[name] = judged.bias
        stored = {part: t.to(wanted.dtype) if t.is_floating_point() else t for part, t in own.items()}
        tensors |= {wanted.spell(name, part): tensor.contiguous() for part, tensor in stored.items()}
    if wanted.besides is not None:
        tensors |= wanted.besides(tensors)
    path = folder / f"{re.sub(r'[^a-z0-9]+', '-', wanted.name.lower())}.safetensors"
    save_file(tensors, path, metadata=dict(wanted.metadata) or None)
    return Written(path=path, bases=bases, weights=weights, biases=biases)


@cache
def load_networks(model: Path) -> dict[str, Network]:
    networks: dict[str, Network] = {
        "unet": UNet2DConditionModel.from_pretrained(model / "unet"),
        "text_encoder": CLIPTextModel.from_pretrained(model / "text_encoder"),
    }
    if (model / "text_encoder_2").exists():
        networks["text_encoder_2"] = CLIPTextModelWithProjection.from_pretrained(model / "text_encoder_2")
    return networks


def module_of(networks: Mapping[str, nn.Module], name: str) -> nn.Module:
    network, _, path = name.partition(".")
    modules: dict[str, nn.Module] = dict(networks[network].named_modules())
    return modules.get(path) or modules[f"text_model.{path}"]


def _without_alpha(index: int, tensors: Tensors) -> Tensors:
    return {part: tensor for part, tensor in tensors.items() if part != "alpha"}


def _alpha_on_every_other(index: int, tensors: Tensors) -> Tensors:
    return tensors if index % 2 else _without_alpha(index, tensors)


def _mixed_alpha(index: int, tensors: Tensors) -> Tensors:
    return tensors | {"alpha": torch.tensor([0.5, 4.0, 12.0][index % 3])}


def _long_alpha(index: int, tensors: Tensors) -> Tensors:
    return tensors | {"alpha": tensors["alpha"].reshape(1)}


def _flat(index: int, tensors: Tensors) -> Tensors:
    """As DyLoRA saves a convolution."""
    return {part: t.flatten(1) if part.startswith("lora") else t for part, t in tensors.items()}


def _peft_magnitude(index: int, tensors: Tensors) -> Tensors:
    return _without_alpha(index, tensors) | {"dora_scale": tensors["dora_scale"].flatten()}


def _product(index: int, tensors: Tensors, judged: Judged) -> Tensor:
    """The change of a plain LoRA, by the alpha that the edited tensors have."""
    down, up = tensors["lora_down.weight"].double(), tensors["lora_up.weight"].double()
    alpha = float(tensors["alpha"]) if "alpha" in tensors else down.shape[0]
    return (alpha / down.shape[0] * up.flatten(1) @ down.flatten(1)).reshape(judged.weight.shape)


def _times(scale: float) -> Callable[[int, Tensors, Judged], Tensor]:
    return lambda index, tensors, judged: judged.weight * scale


def _by_pattern(index: int, tensors: Tensors, judged: Judged) -> Tensor:
    scale = 3.0 if list(LINEARS)[index].endswith("to_q") else 1.5
    return _product(index, tensors, judged) * scale


def _doubled(tensors: Tensors) -> Tensors:
    """The same layers again by diffusers' names, as some converters leave them."""
    names = {sgm(layer, "").removesuffix("."): kohya(layer, "").removesuffix(".") for layer in ALL}
    return {
        f"{names[layer]}.{part}": t.clone() for key, t in tensors.items() for layer, _, part in [key.partition(".")]
    }


def _bundle(tensors: Tensors) -> Tensors:
    return {
        "bundle_emb.my-cat.clip_l": torch.randn(2, 32),
        "bundle_emb.my-cat.clip_g": torch.randn(2, 32),
        "bundle_emb.dog.clip_l": torch.randn(1, 32),
        "bundle_emb.dog.clip_g": torch.randn(1, 32),
    }


R: dict[str, Any] = {"lora_dim": 4, "alpha": 2.0}
ROWS = {"weight_decompose": True}
COLUMNS = {"weight_decompose": True, "wd_on_out": False}
TUCKER = {"use_tucker": True}
LORA = (("lora", R),)
PLAIN: dict[str, Any] = {"layout": "kohya", "spell": kohya}
CONV: dict[str, Any] = {"layers": CONVOLUTIONS}

FORMATS: tuple[Format, ...] = (
    Format(name="LoRA", algorithms=LORA),
    Format(name="LoRA, diffusers' names", algorithms=LORA, **PLAIN),
    Format(name="LoRA, text encoders alone", algorithms=LORA, layers=TEXTS, **PLAIN),
    Format(name="LoRA, mixed ranks", algorithms=tuple(("lora", {"lora_dim": r, "alpha": r / 2}) for r in (2, 5, 8))),
    Format(name="LoRA, mixed alphas", algorithms=LORA, edit=_mixed_alpha, fit=_product),
    Format(name="LoRA, no alphas", algorithms=LORA, edit=_without_alpha, fit=_product),
    Format(name="LoRA, alphas on half the layers", algorithms=LORA, edit=_alpha_on_every_other, fit=_product),
    Format(name="LoRA, negative alpha", algorithms=(("lora", {"lora_dim": 4, "alpha": -3.0}),)),
    Format(name="LoRA, alphas of one dimension", algorithms=LORA, edit=_long_alpha),
    Format(name="LoRA with a learnt scalar", algorithms=(("lora", R | {"use_scalar": True}),)),
    Format(name="rs-LoRA by LyCORIS", algorithms=(("lora", R | {"rs_lora": True}),)),
    Format(name="LoCon, 3x3 and 1x1", algorithms=LORA, **CONV),
    Format(name="LoCon, tucker", algorithms=(("lora", R | TUCKER),)),
    Format(name="LoCon, tucker, convolutions alone", algorithms=(("lora", R | TUCKER),), **CONV, **PLAIN),
    Format(name="DyLoRA, flat convolutions", algorithms=LORA, edit=_flat),
    Format(name="LoHa", algorithms=(("loha", R),)),
    Format(name="LoHa, rank 20", algorithms=(("loha", {"lora_dim": 20, "alpha": 2.0}),)),
    Format(name="LoHa, tucker", algorithms=(("loha", R | TUCKER),)),
    Format(name="LoHa, rank-stabilised", algorithms=(("loha", R | {"rs_lora": True}),)),
    Format(name="LoKr", algorithms=(("lokr", R),)),
    Format(name="LoKr, second factor in halves", algorithms=(("lokr", {"lora_dim": 1, "alpha": 2.0}),)),
    Format(name="LoKr, both in halves", algorithms=(("lokr", {"lora_dim": 1, "alpha": 2.0, "decompose_both": True}),)),
    Format(name="LoKr, tucker", algorithms=(("lokr", {"lora_dim": 1, "alpha": 2.0, "factor": 2} | TUCKER),)),
    Format(name="LoKr, both whole", algorithms=(("lokr", R | {"full_matrix": True}),)),
    Format(name="LoKr, factor 4", algorithms=(("lokr", {"lora_dim": 2, "alpha": 2.0, "factor": 4}),)),
    Format(name="LoKr, unbalanced", algorithms=(("lokr", R | {"unbalanced_factorization": True, "factor": 4}),)),
    Format(name="DoRA, output axis", algorithms=(("lora", R | ROWS),)),
    Format(name="DoRA, input axis", algorithms=(("lora", R | COLUMNS),)),
    Format(name="DoRA, output axis, convolutions, tucker", algorithms=(("lora", R | ROWS | TUCKER),), **CONV),
    Format(name="DoRA, input axis, convolutions", algorithms=(("lora", R | COLUMNS),), **CONV, **PLAIN),
    Format(name="LoHa with DoRA, output axis", algorithms=(("loha", R | ROWS),)),
    Format(name="LoHa with DoRA, input axis", algorithms=(("loha", R | COLUMNS),)),
    Format(name="LoKr with DoRA, output axis", algorithms=(("lokr", R | ROWS),)),
    Format(name="LoKr with DoRA, input axis", algorithms=(("lokr", R | COLUMNS),)),
    Format(name="(IA)^3, output", algorithms=(("ia3", {}),)),
    Format(name="(IA)^3, input", algorithms=(("ia3", {"train_on_input": True}),)),
    Format(name="GLoRA", algorithms=(("glora", R),)),
    Format(name="GLoRA, convolutions", algorithms=(("glora", R),), **CONV),
    Format(name="diag-OFT", algorithms=(("diag-oft", {"lora_dim": 4}),)),
    Format(
        name="diag-OFT, held and rescaled",
        algorithms=(("diag-oft", {"lora_dim": 4, "constraint": 2**-10, "rescaled": True}),),
    ),
    Format(name="BOFT", algorithms=(("boft", {"lora_dim": 4}),)),
    Format(
        name="BOFT, held and rescaled", algorithms=(("boft", {"lora_dim": 8, "constraint": 2**-10, "rescaled": True}),)
    ),
    Format(name="full difference", algorithms=(("full", {}),)),
    Format(name="norms and LoRA", algorithms=(("norm", {}),), layers=NORMS, besides=lambda _: _one_lora()),
    Format(
        name="mixed algorithms",
        algorithms=(("lora", R), ("loha", R), ("lokr", R), ("ia3", {}), ("lora", R | ROWS), ("full", {})),
    ),
    Format(name="LoRA, LyCORIS wrapper", algorithms=LORA, layers=UNET, layout="LyCORIS", spell=lycoris),
    Format(name="LoKr, LyCORIS wrapper", algorithms=(("lokr", R),), layers=UNET, layout="LyCORIS", spell=lycoris),
    Format(name="LoRA, ComfyUI", algorithms=LORA, layers=UNET, layout="ComfyUI", spell=comfy),
    Format(
        name="LoRA, diffusers", algorithms=LORA, edit=_without_alpha, fit=_product, layout="diffusers", spell=diffusers
    ),
    Format(
        name="LoRA, diffusers with PEFT's names",
        algorithms=LORA,
        edit=_without_alpha,
        fit=_product,
        layout="diffusers",
        spell=diffusers_peft,
    ),
    Format(
        name="LoRA, diffusers with metadata",
        algorithms=LORA,
        layers=UNET,
        edit=_without_alpha,
        fit=_times(3.0),
        layout="diffusers",
        spell=diffusers_peft,
        metadata={"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 6})},
    ),
    Format(
        name="LoRA, diffusers of 2023",
        algorithms=LORA,
        layers=ATTENTION,
        edit=_without_alpha,
        fit=_product,
        layout="diffusers of 2023",
        spell=of_2023,
    ),
    Format(
        name="LoRA, diffusers' linear layers",
        algorithms=LORA,
        layers=LINEARS | TEXTS,
        edit=_without_alpha,
        fit=_product,
        layout="diffusers",
        spell=linear_layer,
    ),
    Format(
        name="LoRA, bare names",
        algorithms=LORA,
        layers=UNET,
        edit=_without_alpha,
        fit=_product,
        layout="bare",
        spell=bare_names,
    ),
    Format(
        name="LoRA, PEFT",
        algorithms=LORA,
        layers=UNET,
        edit=_without_alpha,
        fit=_times(2.0),
        layout="PEFT",
        spell=peft,
        config=json.dumps({"r": 4, "lora_alpha": 4}),
    ),
    Format(
        name="LoRA, PEFT, named adapter",
        algorithms=LORA,
        layers=LINEARS,
        edit=_without_alpha,
        fit=_product,
        layout="PEFT",
        spell=peft_named,
    ),
    Format(
        name="LoRA, PEFT inside unet",
        algorithms=LORA,
        layers=UNET,
        edit=_without_alpha,
        fit=_product,
        layout="PEFT",
        spell=peft_in_unet,
    ),
    Format(
        name="rs-LoRA, PEFT",
        algorithms=LORA,
        layers=UNET,
        edit=_without_alpha,
        fit=_times(2.0),
        layout="PEFT",
        spell=peft,
        config=json.dumps({"r": 4, "lora_alpha": 2.0, "use_rslora": True}),
    ),
    Format(
        name="LoRA, PEFT alpha pattern",
        algorithms=LORA,
        layers=LINEARS,
        edit=_without_alpha,
        fit=_by_pattern,
        layout="PEFT",
        spell=peft,
        config=json.dumps({"r": 4, "lora_alpha": 6, "alpha_pattern": {"attn1.to_q": 12}}),
    ),
    Format(
        name="DoRA, PEFT",
        algorithms=(("lora", {"lora_dim": 4, "alpha": 4.0} | ROWS),),
        layers=LINEARS,
        edit=_peft_magnitude,
        layout="PEFT",
        spell=peft,
    ),
    Format(
        name="full difference with norms, for SD 1.5",
        algorithms=(*[("full", {})] * len(SD15), *[("norm", {})] * len(SD15_NORMS)),
        layers=SD15 | SD15_NORMS,
        model="sd15",
        layout="kohya",
        spell=kohya_sd15,
    ),
    Format(
        name="norms of the text encoder alone, for SD 1.5",
        algorithms=(("norm", {}),),
        layers=SD15_TEXT_NORMS,
        model="sd15",
        layout="kohya",
        spell=kohya_sd15,
    ),
    Format(name="LoRA for SD 1.5", algorithms=LORA, layers=SD15, model="sd15", layout="kohya", spell=kohya_sd15),
    Format(
        name="LoHa for SD 1.5", algorithms=(("loha", R),), layers=SD15, model="sd15", layout="kohya", spell=kohya_sd15
    ),
    Format(
        name="DoRA for SD 1.5, diffusers",
        algorithms=(("lora", R | ROWS),),
        layers=SD15,
        model="sd15",
        layout="diffusers",
        spell=diffusers,
    ),
    Format(name="LoRA, both halves of names", algorithms=LORA, besides=_doubled),
    Format(name="LoRA with bundled textual inversions", algorithms=LORA, besides=_bundle),
    Format(name="LoRA in fp64", algorithms=LORA, dtype=torch.float64),
    Format(name="LoRA in fp16", algorithms=LORA, dtype=torch.float16),
    Format(name="LoRA in bf16", algorithms=LORA, dtype=torch.bfloat16),
    Format(name="LoRA in fp8 e4m3", algorithms=LORA, dtype=torch.float8_e4m3fn),
    Format(name="LoRA in fp8 e5m2", algorithms=LORA, dtype=torch.float8_e5m2),
    Format(name="LoHa in fp16", algorithms=(("loha", R),), dtype=torch.float16),
    Format(name="LoKr in bf16", algorithms=(("lokr", R),), dtype=torch.bfloat16),
    Format(name="DoRA in fp16", algorithms=(("lora", R | ROWS),), dtype=torch.float16),
    Format(name="diag-OFT in fp16", algorithms=(("diag-oft", {"lora_dim": 4}),), dtype=torch.float16),
)


def _one_lora() -> Tensors:
    return {
        f"lora_unet_time_embed_0.lora_{half}.weight": torch.randn(shape) * 0.1
        for half, shape in (("down", (2, 32)), ("up", (128, 2)))
    }
