"""More wild layouts: files that say two things at once, say them elsewhere, or carry what is no LoRA's."""

import json
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from pipeline.lora.importing.layer_names import OriginalNames
from tests.pipeline.lora.importing.wild import LINEAR, SQUARE, TEXTS, Layout, Tensors

PATH = LINEAR.removeprefix("unet.")
KOHYA = f"lora_unet_{PATH.replace('.', '_')}"
NORM = "lora_unet_down_blocks_1_resnets_0_norm1"
SEEDED = torch.Generator().manual_seed(1)


def oddities(weights: Mapping[str, Tensor], original: OriginalNames) -> Iterator[Layout]:
    """Every layout; `weights` are the model's, in float64, by canonical name."""
    yield from _peft_alphas(weights)
    yield from _stated(weights)
    yield from _twice(weights, original)
    yield from _beside(weights)
    yield from _magnitudes(weights)
    yield from _words()
    yield from _spellings(weights)


def _random(*shape: int) -> Tensor:
    return 0.1 * torch.randn(shape, generator=SEEDED, dtype=torch.float64)


def _lora(name: str, weight: Tensor, down: str = "lora_down", up: str = "lora_up") -> tuple[Tensors, Tensor]:
    inner, outer = _random(4, weight.shape[1]), _random(weight.shape[0], 4)
    return {f"{name}.{down}.weight": inner, f"{name}.{up}.weight": outer}, outer @ inner


def _peft_alphas(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    other = LINEAR.replace("to_q", "to_k")
    first, product = _lora(f"base_model.model.{PATH}", weights[LINEAR], "lora_A", "lora_B")
    second, square = _lora(f"base_model.model.{other.removeprefix('unet.')}", weights[other], "lora_A", "lora_B")
    off = {"lora_alpha": 8, "r": 4, "alpha_pattern": {"to_k": 0}}
    yield Layout(group="alphas", name="PEFT, a layer whose alpha is 0", tensors=first | second,
                 changes={LINEAR: 2 * product}, config=json.dumps(off))  # fmt: skip
    yield Layout(group="alphas", name="PEFT, an alpha of 0", tensors=first, words="or its alpha is",
                 config='{"lora_alpha": 0, "r": 4}')  # fmt: skip
    defaults = {'{"peft_type": "LORA", "r": 4}': 2.0, '{"r": 4, "use_rslora": true}': 4.0}
    for config, scale in defaults.items():
        yield Layout(group="alphas", name=f"PEFT's own alpha of 8, {config}", tensors=first | second,
                     changes={LINEAR: scale * product, other: scale * square}, config=config)  # fmt: skip
    lists, _ = _lora(KOHYA, weights[LINEAR])
    yield Layout(group="alphas", name="two alphas for one layer", tensors=lists | {f"{KOHYA}.alpha": torch.ones(2)},
                 words="do not fit that layer's shape")  # fmt: skip


def _stated(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    tensors, _ = _lora(LINEAR, weights[LINEAR], "lora_A", "lora_B")
    config = '{"lora_alpha": 4, "base_model_name_or_path": "Kwai-Kolors/Kolors-diffusers"}'
    xl = {"ss_base_model_version": "sdxl_base_v1-0"}
    rows: tuple[tuple[str, dict[str, str], str, str | None, str], ...] = (
        ("a page that says SDXL, metadata that say Kolors", {"ss_base_model_version": "kolors"}, "SDXL 1.0", None,
         "Kolors"),
        ("an adapter config that says Kolors", {}, "", config, "Kolors"),
        ("metadata that hold such a config", {"lora_adapter_metadata": config}, "SDXL 1.0", None, "Kolors"),
        ("kohya's version, on a checkpoint of Kolors", xl | {"ss_sd_model_name": "Kolors.safetensors"}, "", None,
         "Kolors"),
        ("kohya's version, on SSD-1B", xl | {"ss_sd_model_name": "SSD-1B.safetensors"}, "SDXL 1.0", None, "SSD-1B"),
    )  # fmt: skip
    for name, metadata, page, own, base in rows:
        yield Layout(group="stated bases", name=name, tensors=tensors, words=f"made for {base};", metadata=metadata,
                     base_model=page, config=own)  # fmt: skip


def _twice(weights: Mapping[str, Tensor], original: OriginalNames) -> Iterator[Layout]:
    tensors, product = _lora(KOHYA, weights[LINEAR])
    stability = f"lora_unet_{original.of_path(PATH).replace('.', '_')}"
    copied = {name.replace(KOHYA, stability): tensor.clone() for name, tensor in tensors.items()}
    other, _ = _lora(stability, weights[LINEAR])
    yield Layout(group="leftovers", name="a layer under two names, alike", tensors=tensors | copied,
                 changes={LINEAR: product}, note="twice, by two ways")  # fmt: skip
    yield Layout(group="leftovers", name="a layer under two names, by other numbers", tensors=tensors | other,
                 words="twice, under two names, by different numbers")  # fmt: skip
    for kind, parts in {"gain": ("w_norm", "diff"), "bias": ("b_norm", "diff_b")}.items():
        both = {f"{NORM}.{part}": _random(32) for part in parts}
        yield Layout(group="leftovers", name=f"a norm's {kind} under two names", tensors=both, words="no known algo")


def _beside(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    tensors, product = _lora(KOHYA, weights[LINEAR])
    wide = {
        "lora_unet_conv_in.lora_down.weight": _random(4, 9, 3, 3),
        "lora_unet_conv_in.lora_up.weight": _random(32, 4),
    }
    ids = torch.arange(77)[None]
    positions = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    projection, _ = _lora("lora_te1_text_projection", weights[TEXTS[0]])
    rows: tuple[tuple[str, Tensors, Mapping[str, Tensor], str, str], ...] = (
        ("PEFT's modules_to_save", tensors | {"base_model.model.conv_in.weight": _random(4, 4)}, {},
         "own weights beside", ""),
        ("the base's layer inside PEFT's", tensors | {f"{LINEAR}.base_layer.weight": _random(64, 64)}, {},
         "own weights beside", ""),
        ("a checkpoint with positions", {positions: ids, "cond_stage_model.x.weight": _random(2, 2)}, {},
         "a whole checkpoint", ""),
        ("a patch that reshapes", tensors | {f"{KOHYA}.reshape_weight": torch.tensor([64, 64])}, {},
         "to_q.reshape_weight", ""),
        ("a patch that replaces", {f"{KOHYA}.set_weight": weights[LINEAR]}, {}, "to_q.set_weight", ""),
        ("for an inpainting model", tensors | wide, {}, "made for an inpainting model", ""),
        ("a difference for one", {"lora_unet_conv_in.diff": _random(32, 9, 3, 3)}, {}, "an inpainting model", ""),
        ("OneTrainer's projection of CLIP-L", tensors | projection, {LINEAR: product}, "", "projection"),
        *((f"quantised, {scale}", tensors | {f"{KOHYA}.lora_down.{scale}": torch.ones(())}, {}, "is quantised", "")
          for scale in ("weight_scale_inv", "weight.scale", "input_scale", "scale_weight")),
    )  # fmt: skip
    for name, own, changes, words, note in rows:
        yield Layout(group="leftovers", name=name, tensors=own, changes=changes, words=words, note=note)


def _magnitudes(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    """DoRA beside every algorithm that multiplies out, over rows and over columns."""
    for layer, kind in ((LINEAR, "Linear"), (SQUARE, "Conv2d")):
        name, weight = f"lora_unet_{layer.removeprefix('unet.').replace('.', '_')}", weights[layer]
        first, second = _random(4, 4), _random(weight.shape[0] // 4, weight.shape[1] // 4, *weight.shape[2:])
        moved = weight + torch.einsum("ac,bd...->abcd...", first, second).reshape(weight.shape)
        kron = {f"{name}.lokr_w1": first, f"{name}.lokr_w2": second}
        for axis, side in enumerate(("rows", "columns")):
            across = [dim for dim in range(weight.ndim) if dim != axis]
            norms = moved.square().sum(across, keepdim=True).sqrt()
            wanted = norms * (1 + _random(*norms.shape))
            tensors = kron | {f"{name}.dora_scale": wanted}
            change = {layer: wanted / norms * moved - weight}
            yield Layout(group="magnitudes", name=f"LoKr, {side} of a {kind}", tensors=tensors, changes=change)
    halves, _ = _lora(KOHYA, weights[LINEAR])
    nothing = halves | {f"{KOHYA}.dora_scale": torch.zeros(64, 1)}
    gone = {LINEAR: -weights[LINEAR]}
    yield Layout(group="magnitudes", name="magnitudes of zero", tensors=nothing, changes=gone)
    empty = {f"{KOHYA}.lora_down.weight": torch.zeros(0, 64), f"{KOHYA}.lora_up.weight": torch.zeros(64, 0)}
    yield Layout(group="magnitudes", name="magnitudes over halves of rank 0", words="do not fit",
                 tensors=empty | {f"{KOHYA}.dora_scale": torch.ones(64, 1)})  # fmt: skip


def _words() -> Iterator[Layout]:
    words = {f"bundle_emb.cat.clip_{which}": _random(2, 32) for which in "lg"}
    yield Layout(group="leftovers", name="bundled words and no LoRA", tensors=words)


def _spellings(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    for down, up in (("LORA_DOWN", "LORA_UP"), ("lora_a", "lora_b"), ("lora_A.my.v1", "lora_B.my.v1")):
        tensors, _ = _lora(LINEAR, weights[LINEAR], down, up)
        yield Layout(group="leftovers", name=f"halves called {down}", tensors=tensors, words="no LoRA of a known kind")
