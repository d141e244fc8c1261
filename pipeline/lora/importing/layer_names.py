"""What the trainers call the base's layers: one table from every spelling to exactly one layer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.lora.importing.base_layers import CLIP_WRAPPER, BaseLayer, Layers

_UNET: Final = "unet."
_SECOND_TEXT: Final = "text_encoder_2."
# PEFT's containers; a file may be of one network without saying which, so the prefix stands with and without it.
_PEFT: Final = "base_model.model."

# What torch.compile and training on several devices put before a module's own name.
_WRAPPERS: Final = re.compile(r"(?:(?<=\.)|^)(?:_orig_mod|module)\.", re.ASCII)

# The inside of a residual block, by diffusers and by the original code.
_RESIDUAL: Final = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_SINGLE: Final = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_BLOCK: Final = re.compile(
    r"(?P<side>down|up)_blocks\.(?P<block>\d+)\.(?P<kind>resnets|attentions|downsamplers|upsamplers)\.(?P<index>\d+)"
    r"\.(?P<rest>.+)"
)
_MIDDLE: Final = re.compile(r"mid_block\.(?P<kind>resnets|attentions)\.(?P<index>\d+)\.(?P<rest>.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNames:
    """The base's layers by every name that a LoRA file may give them; `ambiguous` names could be several, and are not
    there.
    """

    layers: dict[str, BaseLayer]
    ambiguous: frozenset[str]

    @classmethod
    def of(cls, layers: Layers) -> "LayerNames":
        """The names of a base's layers.

        Args:
            layers: of the base.

        Returns:
            With all spellings of kohya, LyCORIS, diffusers, PEFT, ComfyUI, OneTrainer and Stability.
        """
        named: dict[str, BaseLayer] = {}
        ambiguous = set()
        original = OriginalNames.of(layers)
        for layer in layers.values():
            for name in _spellings(layer.name, original, two_texts=_has_two_texts(layers)):
                if named.setdefault(name, layer) is not layer:
                    ambiguous.add(name)
        return cls(
            layers={n: layer for n, layer in named.items() if n not in ambiguous}, ambiguous=frozenset(ambiguous)
        )

    def find(self, name: str) -> BaseLayer | None:
        """The layer of a name.

        Args:
            name: as a file writes it.

        Returns:
            None if no layer, or more than one, has it.
        """
        return self.layers.get(_WRAPPERS.sub("", name))


def _has_two_texts(layers: Layers) -> bool:
    return any(name.startswith(_SECOND_TEXT) for name in layers)


def _spellings(name: str, original: "OriginalNames", *, two_texts: bool) -> Iterator[str]:
    network, _, path = name.partition(".")
    match f"{network}.":
        case "unet.":
            yield from _unet_spellings(path, original)
        case "text_encoder.":
            # `lora_te_` in a file for two text encoders is the first, as every loader reads it.
            yield from _text_spellings(path, "text_encoder", ("lora_te", "lora_te1"), "clip_l", alone=not two_texts)
        case "text_encoder_2.":
            yield from _text_spellings(path, "text_encoder_2", ("lora_te2",), "clip_g", alone=False)


def _unet_spellings(path: str, original: "OriginalNames") -> Iterator[str]:
    for own in {path, original.of_path(path)}:
        flat = own.replace(".", "_")
        yield from (f"lora_unet_{flat}", f"lycoris_{flat}", f"lycoris_unet_{flat}")
        yield from (f"diffusion_model.{own}", f"model.diffusion_model.{own}", f"unet.{own}", own)
    yield from (f"unet.{_PEFT}{path}", f"{_PEFT}{path}", f"{_PEFT}unet.{path}")


def _text_spellings(path: str, network: str, prefixes: tuple[str, ...], comfy: str, *, alone: bool) -> Iterator[str]:
    for wrapper in ("", CLIP_WRAPPER):
        own = f"{wrapper}{path}"
        flat = own.replace(".", "_")
        yield from (f"{prefix}_{flat}" for prefix in prefixes)
        yield from (f"lycoris_{network}_{flat}", f"{network}.{own}", f"{network}.{_PEFT}{own}")
        yield from (f"text_encoders.{comfy}.transformer.{own}", f"{comfy}.transformer.{own}", f"{comfy}.{own}")
        if alone:
            yield from (f"{_PEFT}{own}", f"lycoris_{flat}", own)


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalNames:
    """Stability's names for a UNet's layers, which count the blocks from first to last.

    `depth` is the number of residual blocks in a stage; `attentive` are the numbers of the up blocks with attention.
    """

    depth: int
    attentive: frozenset[str]

    @classmethod
    def of(cls, layers: Layers) -> "OriginalNames":
        """The names for a base.

        Args:
            layers: of the base.

        Returns:
            What they depend on.
        """
        paths = [name.removeprefix(_UNET) for name in layers if name.startswith(_UNET)]
        indices = [int(m["index"]) for p in paths if (m := _BLOCK.fullmatch(p)) and _is_first_residual(m)]
        attentive = frozenset(m["block"] for p in paths if (m := _BLOCK.fullmatch(p)) and _is_up_attention(m))
        return cls(depth=max(indices, default=0) + 1, attentive=attentive)

    def of_path(self, path: str) -> str:
        """The original name of a layer.

        Args:
            path: of the layer in diffusers.

        Returns:
            The same path where the original code has no other name.
        """
        if path in _SINGLE:
            return _SINGLE[path]
        if (middle := _MIDDLE.fullmatch(path)) is not None:
            place = 1 if middle["kind"] == "attentions" else 2 * int(middle["index"])
            return f"middle_block.{place}.{_inside(middle['rest'])}"
        if (match := _BLOCK.fullmatch(path)) is not None:
            return self._of_block(match)
        return path

    def _of_block(self, match: re.Match[str]) -> str:
        block, index, rest = int(match["block"]), int(match["index"]), _inside(match["rest"])
        first = block * (self.depth + 1)
        if match["side"] == "down":
            place, slot = {
                "resnets": (1 + first + index, "0"),
                "attentions": (1 + first + index, "1"),
                "downsamplers": (first + self.depth + 1, "0"),
            }[match["kind"]]
            return f"input_blocks.{place}.{slot}.{'op' if match['kind'] == 'downsamplers' else rest}"
        if match["kind"] == "upsamplers":
            return f"output_blocks.{first + self.depth}.{2 if match['block'] in self.attentive else 1}.{rest}"
        return f"output_blocks.{first + index}.{0 if match['kind'] == 'resnets' else 1}.{rest}"


def _inside(rest: str) -> str:
    return _RESIDUAL.get(rest, rest)


def _is_first_residual(match: re.Match[str]) -> bool:
    return match["side"] == "down" and match["block"] == "0" and match["kind"] == "resnets"


def _is_up_attention(match: re.Match[str]) -> bool:
    return match["side"] == "up" and match["kind"] == "attentions"
