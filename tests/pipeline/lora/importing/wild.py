"""Layouts of LoRA files as they are found, each written from code for a tiny SDXL, with what must come of it.

The changes that a file must make are computed here by the formulas of the papers, apart from the code under test.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipeline.lora.importing.layer_names import OriginalNames

Tensors = dict[str, Tensor]
Namer = Callable[[str], str]

LINEAR = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
SQUARE = "unet.down_blocks.1.resnets.0.conv2"
TEXTS = ("text_encoder.encoder.layers.0.self_attn.q_proj", "text_encoder_2.encoder.layers.1.mlp.fc1")
SEEDED = torch.Generator().manual_seed(0)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A file: its `changes` by canonical layer where it is read, a part of the refusal's `words` where it is not."""

    group: str
    name: str
    tensors: Tensors
    changes: Mapping[str, Tensor] = field(default_factory=dict)
    words: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    config: str | None = None
    base_model: str = ""
    note: str = ""


def layouts(weights: Mapping[str, Tensor], original: OriginalNames) -> Iterator[Layout]:
    """Every layout; `weights` are the model's, in float64, by canonical name."""
    yield from _names(weights, original)
    yield from _texts(weights)
    yield from _leftovers(weights)
    yield from _numbers(weights)
    yield from _alphas(weights)
    yield from _peft_kinds()
    yield from _peft_starts()
    yield from _other_tensors()
    yield from _other_files()
    yield from _other_bases()
    yield from _stated()


def _random(*shape: int) -> Tensor:
    return 0.1 * torch.randn(shape, generator=SEEDED, dtype=torch.float64)


def _namers(original: OriginalNames) -> dict[str, Namer]:
    def path(layer: str) -> str:
        return layer.removeprefix("unet.")

    def old(layer: str) -> str:
        return original.of_path(path(layer))

    def flat(text: str) -> str:
        return text.replace(".", "_")

    return {
        "kohya": lambda layer: f"lora_unet_{flat(path(layer))}",
        "kohya, Stability's names": lambda layer: f"lora_unet_{flat(old(layer))}",
        "LyCORIS": lambda layer: f"lycoris_{flat(path(layer))}",
        "LyCORIS with the network": lambda layer: f"lycoris_unet_{flat(path(layer))}",
        "diffusers": lambda layer: layer,
        "ComfyUI": lambda layer: f"diffusion_model.{old(layer)}",
        "ComfyUI, diffusers' names": lambda layer: f"diffusion_model.{path(layer)}",
        "ComfyUI, whole prefix": lambda layer: f"model.diffusion_model.{old(layer)}",
        "OMI": lambda layer: f"unet.{old(layer)}",
        "bare": path,
        "bare, Stability's names": old,
        "compiled by torch": lambda layer: f"unet._orig_mod.{path(layer)}",
        "trained on several devices": lambda layer: f"unet.module.{path(layer)}",
        "PEFT": lambda layer: f"base_model.model.{path(layer)}",
        "PEFT inside the UNet": lambda layer: f"unet.base_model.model.{path(layer)}",
        "PEFT around the UNet": lambda layer: f"base_model.model.{layer}",
    }


_HALVES = {
    "lora_down": ("lora_down.weight", "lora_up.weight"),
    "lora_A": ("lora_A.weight", "lora_B.weight"),
    "lora.down": ("lora.down.weight", "lora.up.weight"),
    "named adapter": ("lora_A.default.weight", "lora_B.default.weight"),
}


def _lora(name: str, weight: Tensor, spelling: str = "lora_down", rank: int = 4) -> tuple[Tensors, Tensor]:
    down, up = _random(rank, *weight.shape[1:]), _random(weight.shape[0], rank, *[1] * (weight.ndim - 2))
    product = torch.tensordot(up.flatten(1), down, dims=1)
    return {f"{name}.{_HALVES[spelling][0]}": down, f"{name}.{_HALVES[spelling][1]}": up}, product


def _names(weights: Mapping[str, Tensor], original: OriginalNames) -> Iterator[Layout]:
    alpha = torch.tensor(2.0)
    config = '{"lora_alpha": 2, "alpha": 2, "peft_type": "LORA"}'
    for program, name in _namers(original).items():
        own = config if "PEFT" in program else None
        for kind, layer in (("Linear", LINEAR), ("Conv2d", SQUARE)):
            for spelling in _HALVES:
                tensors, product = _lora(name(layer), weights[layer], spelling)
                stated = tensors if own else tensors | {f"{name(layer)}.alpha": alpha}
                yield Layout(
                    group="names", name=f"{program}, {spelling}, {kind}", tensors=stated, changes={layer: product / 2},
                    config=own,
                )  # fmt: skip
            yield _dora(program, name(layer), layer, weights[layer], peft=own is not None)
        loha, change = _loha(name(LINEAR), weights[LINEAR])
        yield Layout(
            group="names", name=f"{program}, LoHa", tensors=loha | ({} if own else {f"{name(LINEAR)}.alpha": alpha}),
            changes={LINEAR: change / 2}, config=own and own.replace("LORA", "LOHA"),
        )  # fmt: skip


def _dora(program: str, name: str, layer: str, weight: Tensor, *, peft: bool) -> Layout:
    tensors, product = _lora(name, weight, "lora_A" if peft else "lora_down")
    moved = weight + product
    lengths = moved.flatten(1).norm(dim=1)
    magnitude = lengths * (1 + _random(weight.shape[0]))
    ones = [1] * (weight.ndim - 1)
    # PEFT's is turned for a convolution: of the outputs, but in the second place.
    shape = ([1, -1, *ones[1:]] if weight.ndim == 4 else [-1]) if peft else [-1, *ones]
    part = "lora_magnitude_vector" if peft else "dora_scale"
    change = (magnitude / lengths).reshape(-1, *ones) * moved - weight
    return Layout(
        group="names", name=f"{program}, DoRA, {'Conv2d' if weight.ndim == 4 else 'Linear'}",
        tensors=tensors | {f"{name}.{part}": magnitude.reshape(shape)}, changes={layer: change},
        config='{"lora_alpha": 4, "use_dora": true}' if peft else None,
    )  # fmt: skip


def _loha(name: str, weight: Tensor) -> tuple[Tensors, Tensor]:
    halves = {
        f"{name}.hada_w{which}_{side}": _random(*shape)
        for which in (1, 2)
        for side, shape in (("a", (weight.shape[0], 4)), ("b", (4, weight.shape[1])))
    }
    first, second = (halves[f"{name}.hada_w{which}_a"] @ halves[f"{name}.hada_w{which}_b"] for which in (1, 2))
    return halves, first * second


def _texts(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    comfy = "text_encoders."
    spellings = {
        "kohya": ("lora_te1_text_model_", "lora_te2_text_model_", True),
        "diffusers": ("text_encoder.text_model.", "text_encoder_2.text_model.", False),
        "diffusers, no wrapper": ("text_encoder.", "text_encoder_2.", False),
        "ComfyUI": (f"{comfy}clip_l.transformer.text_model.", f"{comfy}clip_g.transformer.text_model.", False),
        "OMI": ("clip_l.text_model.", "clip_g.text_model.", False),
        "LyCORIS": ("lycoris_text_encoder_text_model_", "lycoris_text_encoder_2_text_model_", True),
        "PEFT": ("text_encoder.base_model.model.text_model.", "text_encoder_2.base_model.model.text_model.", False),
    }  # fmt: skip
    for program, (first, second, flat) in spellings.items():
        for prefix, layer in zip((first, second), TEXTS, strict=True):
            path = layer.partition(".")[2]
            name = prefix + (path.replace(".", "_") if flat else path)
            tensors, product = _lora(name, weights[layer])
            yield Layout(group="text encoders", name=f"{program}, {layer[:14].rstrip('.')}", tensors=tensors,
                         changes={layer: product})  # fmt: skip


def _numbers(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    """Of the first block, which the first trainer counts first: its layers by number, in the orders of two years."""
    block, text = LINEAR.removesuffix(".attn1.to_q"), "text_encoder.encoder.layers.0.self_attn"
    own = [f"{block}.attn1.{side}" for side in ("to_q", "to_k", "to_v", "to_out.0")]
    cross = [f"{block}.attn2.{side}" for side in ("to_q", "to_k", "to_v", "to_out.0")]
    gate, texts = [f"{block}.ff.net.0.proj"], [f"{text}.{side}_proj" for side in ("k", "v", "q", "out")]
    orders = {
        "2022": ("unet", own + gate + cross),
        "2023": ("unet", own + cross + gate),
        "attention": ("unet", own + cross),
        "text encoder": ("text_encoder", texts),
    }
    for title, (network, order) in orders.items():
        tensors: Tensors = {}
        changes = {}
        for number, layer in enumerate(order):
            halves, changes[layer] = _lora("x", weights[layer])
            down, up = halves.values()
            tensors |= {f"{network}:{number}:up": up, f"{network}:{number}:down": down}
        yield Layout(group="names", name=f"the first trainer, {title}", tensors=tensors, changes=changes)
    odd = {"unet:0:up": _random(7, 4), "unet:0:down": _random(4, 7)}
    yield Layout(group="names", name="the first trainer, another base", tensors=odd, words="do not fit this base's")


def _leftovers(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    name = f"lora_unet_{LINEAR.removeprefix('unet.').replace('.', '_')}"
    tensors, product = _lora(name, weights[LINEAR])
    other, changes = name.replace("to_q", "to_k"), {LINEAR: product}
    words = {f"bundle_emb.cat.clip_{which}{side}": _random(2, 32) for which in "lg" for side in ("", "_out")}
    empty = {f"{other}.lora_down.weight": torch.zeros(0, 64), f"{other}.lora_up.weight": torch.zeros(64, 0)}
    zeros = {part: tensor * ("up" not in part) for part, tensor in tensors.items()}
    rows: tuple[tuple[str, Tensors, Mapping[str, Tensor], str, str], ...] = (
        ("a layer of rank 0", tensors | empty | {f"{other}.alpha": torch.tensor(1.0)}, changes, "", "without a rank"),
        ("an alpha without its halves", tensors | {f"{other}.alpha": torch.tensor(1.0)}, changes, "", "without a rank"),
        ("output embeddings", tensors | words, changes, "", "output embeddings"),
        ("an alpha of one dimension", tensors | {f"{name}.alpha": torch.tensor([4.0])}, changes, "", ""),
        ("an untrained LoRA", zeros, {}, "changes nothing", ""),
        ("a half without the other", dict([*tensors.items()][:1]), {}, "is incomplete", ""),
        ("several adapters", {f"{name}.lora_A.{a}.weight": _random(4, 64) for a in "ab"}, {}, "several adapters", ""),
        ("a layer of nobody's", tensors | _lora("lora_unet_nowhere", weights[LINEAR])[0], {}, "not in SDXL", ""),
        ("numbers that are none", {part: tensor * torch.nan for part, tensor in tensors.items()}, {}, "NaN", ""),
        ("an adapter's bias", tensors | {f"{name}.lora_B.bias": _random(64)}, {}, "unknown kind", ""),
    )
    for title, own, expected, refusal, note in rows:
        yield Layout(group="leftovers", name=title, tensors=own, changes=expected, words=refusal, note=note)
    for dtype in ("float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"):
        cast = {part: tensor.float().to(getattr(torch, dtype)) for part, tensor in tensors.items()}
        down, up = (cast[f"{name}.lora_{side}.weight"].double() for side in ("down", "up"))
        yield Layout(group="leftovers", name=f"numbers in {dtype}", tensors=cast, changes={LINEAR: up @ down})


def _alphas(weights: Mapping[str, Tensor]) -> Iterator[Layout]:
    path = LINEAR.removeprefix("unet.")
    tensors, product = _lora(f"base_model.model.{path}", weights[LINEAR], "lora_A")
    loha, square = _loha(f"base_model.model.{path}", weights[LINEAR])
    yield Layout(group="alphas", name="PEFT without its config", tensors=tensors, changes={LINEAR: product},
                 note="its rank was taken")  # fmt: skip
    yield Layout(group="alphas", name="PEFT's LoHa without its config", tensors=loha, changes={LINEAR: square},
                 note="its rank was taken")  # fmt: skip
    scales = {
        '{"lora_alpha": 8}': 2.0,
        '{"lora_alpha": 8, "use_rslora": true}': 4.0,
        '{"lora_alpha": 8, "alpha_pattern": {"to_q": 2}}': 0.5,
        '{"lora_alpha": 8, "init_lora_weights": "gaussian"}': 2.0,
        '{"lora_alpha": 8, "init_lora_weights": "eva"}': 2.0,
        '{"lora_alpha": 8, "init_lora_weights": "mica"}': 2.0,
        '{"lora_alpha": -4}': -1.0,
    }
    for config, scale in scales.items():
        yield Layout(group="alphas", name=f"PEFT, {config}", tensors=tensors, changes={LINEAR: scale * product},
                     config=config)  # fmt: skip
    inside, product = _lora(LINEAR, weights[LINEAR], "lora_A")
    yield Layout(group="alphas", name="diffusers with metadata", tensors=inside, changes={LINEAR: 2 * product},
                 metadata={"lora_adapter_metadata": '{"unet.r": 4, "unet.lora_alpha": 8}'})  # fmt: skip
    yield Layout(group="alphas", name="DoRA without magnitudes", tensors=inside, words="has no magnitude",
                 config='{"lora_alpha": 8, "use_dora": true}')  # fmt: skip
    yield Layout(group="alphas", name="a damaged config", tensors=inside, words="damaged", config="{")


def _peft_kinds() -> Iterator[Layout]:
    names = {
        "ADALORA": "AdaLoRA", "ADAMSS": "AdaMSS", "BOFT": "BOFT", "C3A": "C3A", "DELORA": "DeLoRA",
        "FOURIERFT": "FourierFT", "FROD": "FRoD", "GLORA": "GLoRA", "GRALORA": "GraLoRA", "HIRA": "HiRA", "HRA": "HRA",
        "IA3": "(IA)^3", "LILY": "Lily", "LN_TUNING": "LN tuning", "LOKR": "LoKr", "MISS": "MiSS", "OFT": "OFT",
        "OSF": "OSF", "PEANUT": "PEANuT", "POLY": "Polytropon", "PVERA": "PVeRA", "RANDLORA": "RandLoRA",
        "ROAD": "RoAd", "SHIRA": "SHiRA", "TINYLORA": "TinyLoRA", "UNILORA": "Uni-LoRA", "VBLORA": "VB-LoRA",
        "VERA": "VeRA", "WAVEFT": "WaveFT", "XLORA": "X-LoRA", "BONE": "Bone",
    }  # fmt: skip
    tensors = {f"{LINEAR}.lora_A.weight": _random(4, 64), f"{LINEAR}.lora_B.weight": _random(64, 4)}
    for kind, name in names.items():
        yield Layout(group="PEFT by its config", name=kind, tensors=tensors, words=f"PEFT's {name}",
                     config=json.dumps({"peft_type": kind}))  # fmt: skip


def _peft_starts() -> Iterator[Layout]:
    tensors = {f"{LINEAR}.lora_A.weight": _random(4, 64), f"{LINEAR}.lora_B.weight": _random(64, 4)}
    starts = {"pissa": "PiSSA", "pissa_niter_16": "PiSSA", "olora": "OLoRA", "corda": "CorDA", "loftq": "LoftQ",
              "lora_ga": "LoRA-GA", "tomorrow": "begins as 'tomorrow'"}  # fmt: skip
    for start, name in starts.items():
        config = {"unet.lora_alpha": 8, "unet.init_lora_weights": start}
        yield Layout(group="PEFT by its config", name=f"init_lora_weights {start}", tensors=tensors, words=name,
                     metadata={"lora_adapter_metadata": json.dumps(config)})  # fmt: skip
    variants = {"use_qalora": "QALoRA", "use_bdlora": "BD-LoRA", "alora_invocation_tokens": "aLoRA",
                "arrow_config": "Arrow", "kasa_config": "KaSA", "layer_replication": "replicated layers"}  # fmt: skip
    for key, name in variants.items():
        yield Layout(group="PEFT by its config", name=key, tensors=tensors, words=name, config=json.dumps({key: [1]}))


def _other_tensors() -> Iterator[Layout]:
    parts = {
        "oft_R.weight": "PEFT's OFT", "boft_R": "PEFT's BOFT", "boft_s": "PEFT's BOFT", "vera_lambda_b": "VeRA",
        "vera_lambda_d": "VeRA", "hra_u": "HRA", "ia3_l": "PEFT's (IA)^3", "fourierft_spectrum": "FourierFT",
        "miss_block": "MiSS", "bone_block": "Bone", "randlora_lambda": "RandLoRA", "delora_lambda": "DeLoRA",
        "gralora_A": "GraLoRA", "road_theta": "RoAd", "waveft_spectrum": "WaveFT", "lora_E": "AdaLoRA",
        "lily_A.weight": "Lily", "osf_svd_params.U_low": "OSF", "shira_weight": "SHiRA", "c3a_kernel": "C3A",
        "vblora_logits_A": "VB-LoRA", "hira_A.weight": "HiRA", "ln_tuning_layers.weight": "LN tuning",
        "psoft_R": "PSOFT", "lokr_w1": "PEFT's LoKr", "trainable_tokens_delta": "trainable tokens",
    }  # fmt: skip
    for part, name in parts.items():
        tensors = {f"base_model.model.{LINEAR}.{part}": _random(2, 4)}
        yield Layout(group="other algorithms", name=part, tensors=tensors, words=f"is {name}")
    loose = {
        "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight": "ControlNet-LLLite",
        "lora_unet_mid_block_attentions_0_proj_in.q_layer.weight": "T-LoRA",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_custom_diffusion.weight": "Custom Diff",
    }
    for tensor, name in loose.items():
        yield Layout(group="other algorithms", name=name, tensors={tensor: _random(2, 4)}, words=name)


def _other_files() -> Iterator[Layout]:
    kinds = {
        "model.diffusion_model.input_blocks.0.0.weight": "a whole checkpoint",
        "first_stage_model.decoder.conv_in.weight": "a whole checkpoint",
        "control_model.input_blocks.0.0.weight": "a ControlNet",
        "controlnet_cond_embedding.conv_in.weight": "a ControlNet",
        "down_blocks.0.motion_modules.0.norm.weight": "an animation module",
        "image_proj.proj.weight": "an IP-Adapter",
        "adapter.body.0.block1.weight": "a T2I-Adapter",
        "encoder.conv_in.weight": "a VAE",
        "body.0.rdb1.conv1.weight": "an upscaler",
        "conv_in.weight": "a model's own weights",
        "lora_unet_conv_in.absmax": "quantised",
    }
    for tensor, words in kinds.items():
        yield Layout(group="other files", name=tensor, tensors={tensor: _random(4, 4)}, words=words)


# A layer of each base by its own code's names, its width in and out, and what the sentence names.
BASES: dict[str, tuple[str, int, int]] = {
    "FLUX.1": ("double_blocks.18.img_mod.lin", 3072, 18432),
    "Chroma or FLUX.1": ("double_blocks.0.txt_mlp.0", 3072, 12288),
    "Chroma, FLUX.1 or HunyuanVideo": ("double_blocks.18.img_attn.qkv", 3072, 9216),
    "FLUX.2": ("single_blocks.47.linear1", 6144, 55296),
    "Chroma": ("distilled_guidance_layer.layers.0.in_layer", 5120, 5120),
    "HunyuanVideo": ("double_blocks.19.img_mlp.fc1", 3072, 12288),
    "HunyuanImage": ("double_blocks.0.img_attn_q", 3584, 3584),
    "SD 3": ("joint_blocks.37.context_block.mlp.fc1", 2432, 9728),
    "Qwen-Image": ("transformer_blocks.59.attn.add_q_proj", 3072, 3072),
    "Z-Image": ("layers.29.attention.qkv", 3840, 11520),
    "Wan": ("blocks.29.self_attn.q", 1536, 1536),
    "Lumina": ("layers.25.attention.qkv", 2304, 3840),
    "PixArt or Sana": ("blocks.27.cross_attn.kv_linear", 1152, 2304),
    "Sana": ("blocks.19.attn.qkv", 2240, 6720),
    "CogVideoX": ("transformer_blocks.29.attn1.to_q", 1920, 1920),
    "Mochi": ("blocks.47.attn.qkv_x", 3072, 9216),
    "LTX-Video": ("transformer_blocks.27.attn2.to_k", 2048, 2048),
    "AuraFlow": ("single_layers.31.attn.w1q", 3072, 3072),
    "HiDream": ("double_stream_blocks.15.block.attn1.to_q_t", 2560, 2560),
    "Stable Cascade": ("down_blocks.1.2.attention.attn.out_proj", 2048, 2048),
    "Hunyuan-DiT": ("blocks.39.attn1.Wqkv", 1408, 4224),
    "SD 1.5": ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", 768, 320),
    "SD 2": ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", 1024, 320),
    "the SDXL refiner": ("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", 1280, 768),
}


def _other_bases() -> Iterator[Layout]:
    prefixes = {"kohya and musubi": "lora_unet_", "ai-toolkit": "diffusion_model.", "OneTrainer": "lora_transformer_"}
    for base, (path, wide, high) in BASES.items():
        for program, prefix in prefixes.items():
            name = prefix + (path.replace(".", "_") if prefix.endswith("_") else path)
            halves = {f"{name}.lora_down.weight": torch.ones(1, wide), f"{name}.lora_up.weight": torch.ones(high, 1)}
            yield Layout(group="other bases", name=f"{base}, {program}", tensors=halves, words=f"made for {base};")
    for title, (path, wide) in {"a FLUX of another width": ("double_blocks.0.img_attn.qkv", 2048),
                                "nobody's layer": ("blah.foo", 64)}.items():  # fmt: skip
        halves = {f"{path}.lora_A.weight": torch.ones(1, wide), f"{path}.lora_B.weight": torch.ones(3 * wide, 1)}
        yield Layout(group="other bases", name=title, tensors=halves, words="made for another base model")
    name = "lora_te_text_model_encoder_layers_20_self_attn_q_proj"
    halves = {f"{name}.lora_down.weight": torch.ones(1, 1024), f"{name}.lora_up.weight": torch.ones(1024, 1)}
    yield Layout(group="other bases", name="SD 2, its text encoder alone", tensors=halves, words="made for SD 2;")


def _stated() -> Iterator[Layout]:
    tensors = {f"{LINEAR}.lora_A.weight": _random(4, 64), f"{LINEAR}.lora_B.weight": _random(64, 4)}
    for words, base in {"Kolors": "Kolors", "Playground v2": "Playground v2", "SSD-1B": "SSD-1B"}.items():
        yield Layout(group="stated bases", name=f"SDXL's layers, a page that says {words}", tensors=tensors,
                     words=f"made for {base};", base_model=words)  # fmt: skip
    yield Layout(group="stated bases", name="SDXL's layers, metadata that say Kolors", tensors=tensors,
                 words="made for Kolors;", metadata={"ss_base_model_version": "kolors"})  # fmt: skip
    change = {LINEAR: tensors[f"{LINEAR}.lora_B.weight"] @ tensors[f"{LINEAR}.lora_A.weight"]}
    notes = {"Pony": "Pony", "Illustrious": "Illustrious", "NoobAI": "NoobAI", "SDXL Lightning": "Lightning",
             "SDXL Turbo": "Turbo", "SDXL Hyper": "Hyper"}  # fmt: skip
    for words, note in notes.items():
        yield Layout(group="stated bases", name=f"a page that says {words}", tensors=tensors, changes=change,
                     base_model=words, note=note)  # fmt: skip
