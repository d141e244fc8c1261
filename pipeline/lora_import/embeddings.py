"""Textual inversions: words of a text encoder, alone in a file or bundled in a LoRA's."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from pipeline.errors import UserError
from pipeline.lora_import.base_layers import BaseLayer, Layers
from pipeline.lora_import.report import Embedding
from pipeline.weights_file import TensorHeader, WeightsFile

MAX_VECTORS: Final = 512
# A trigger may itself hold dots; what follows the last of these words is the trainer's own.
_BUNDLED: Final = re.compile(r"bundle_emb\.(?P<trigger>.+?)\.(?P<part>string_to_param\.\*|emb_params|clip_[lg]|[\w*]+)")
_ENCODERS: Final = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
_UNNAMED: Final = frozenset({"emb_params", "string_to_param.*", "*"})
_MAX_TENSORS: Final = 4
_QUERIES: Final = "encoder.layers.0.self_attn.q_proj"


def bundled(file: WeightsFile, layers: Layers) -> tuple[Embedding, ...]:
    """The embeddings bundled in a LoRA file; raises UserError if one fits no text encoder of the base."""
    found: dict[str, dict[str, TensorHeader]] = {}
    for name, tensor in file.tensors.items():
        if (match := _BUNDLED.fullmatch(name)) is not None:
            found.setdefault(match["trigger"], {})[name] = tensor
    return tuple(_embedding(trigger, tensors, layers) for trigger, tensors in found.items())


def is_bundled(name: str) -> bool:
    """Whether the tensor called `name` is part of a bundled embedding."""
    return _BUNDLED.fullmatch(name) is not None


def alone(file: WeightsFile, layers: Layers) -> Embedding | None:
    """The embedding that the whole file is, or None if it is no textual inversion; raises UserError as `bundled`."""
    names = list(file.tensors)
    flat = all(1 <= len(tensor.shape) <= 2 for tensor in file.tensors.values())
    known = all(name in _ENCODERS or name in _UNNAMED for name in names)
    # A token that stands for itself: one tensor without a dot, as diffusers saves it.
    if not flat or len(names) > _MAX_TENSORS or not (known or (len(names) == 1 and "." not in names[0])):
        return None
    trigger = PurePath(file.path).stem if known else names[0]
    return _embedding(trigger, file.tensors, layers)


def _embedding(trigger: str, tensors: Mapping[str, TensorHeader], layers: Layers) -> Embedding:
    widths = {
        network: layer.inputs for network in ("text_encoder", "text_encoder_2") if (layer := _queries(layers, network))
    }
    placed = {}
    counts = set()
    for name, tensor in tensors.items():
        vectors, width = (1, *tensor.shape)[-2:]
        network = _ENCODERS.get(name.rpartition(".")[2]) or next((n for n, w in widths.items() if w == width), None)
        if network is None or widths.get(network) != width or vectors > MAX_VECTORS:
            raise UserError(f"This textual inversion has vectors of {width}; this base's text encoders take others.")
        placed[network] = name
        counts.add(vectors)
    return Embedding(trigger=trigger, tensors=placed, vectors=max(counts))


def _queries(layers: Layers, network: str) -> BaseLayer | None:
    return layers.get(f"{network}.{_QUERIES}")
