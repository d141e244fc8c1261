"""What PEFT keeps outside its tensors: alphas by pattern and rank stabilisation, in a file's metadata or a config."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import UserError
from pipeline.lora.importing.base_layers import CLIP_WRAPPER
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.other_algorithms import refuse_other_config
from pipeline.lora.importing.parts import TensorRole

_METADATA: Final = ("lora_adapter_metadata", "adapter_config")
RANKED: Final = frozenset({TensorRole.DOWN, TensorRole.HADA_1_DOWN})
"""The parts whose first side is the rank that PEFT divides alpha by."""

_NETWORKS: Final = ("unet", "text_encoder", "text_encoder_2")
_PEFT: Final = "base_model."
_MAX_ALPHA: Final = 1e9
_DEFAULT_ALPHA: Final = 8
"""What PEFT takes where its config leaves alpha out."""
_ALWAYS: Final = frozenset({"peft_type", "r"})
# PEFT takes patterns as regular expressions; untrusted ones are not run here, and these need no running.
_PLAIN: Final = re.compile(r"\^?[\w.]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeftConfig:
    """The adapter config of one network; with `alpha` None the rank is the alpha. With `dora` every layer has
    magnitudes.
    """

    alpha: float | None = None
    patterns: Mapping[str, float] = field(default_factory=dict)
    rank_stabilised: bool = False
    dora: bool = False

    def alpha_of(self, path: str, rank: int) -> float | None:
        """The alpha of a layer, to be divided by its rank.

        Args:
            path: of the layer in its network.
            rank: of the layer.

        Returns:
            None where the config does not say.
        """
        alpha = next((own for key, own in self.patterns.items() if _matches(key, path)), self.alpha)
        # Kalajdzievski, 2023 (rs-LoRA; arXiv 2312.03732) divides by the rank's root.
        return alpha * rank**0.5 if alpha is not None and self.rank_stabilised else alpha


def lacks_alpha(layers: FileLayers, beside: str | None) -> bool:
    """Whether nothing says the alpha of a file that PEFT wrote, which keeps it in a config of its own.

    Args:
        layers: of the file.
        beside: the text of the adapter_config.json beside it, if there was one.

    Returns:
        Whether the rank must be taken for it.
    """
    return _text(layers.file.metadata, beside) is None and any(
        _PEFT in name and parts.keys() & RANKED and TensorRole.ALPHA not in parts
        for name, parts in layers.layers.items()
    )


def trained_on(metadata: Mapping[str, str], beside: str | None) -> str:
    """What an adapter config calls the base model.

    Args:
        metadata: of the file.
        beside: the text of the adapter_config.json beside it.

    Returns:
        Empty where it does not say; a damaged config is refused when it is read.
    """
    try:
        entries = json.loads(_text(metadata, beside) or "{}")
    except (ValueError, RecursionError):
        return ""
    named = entries.items() if isinstance(entries, dict) else ()
    return " ".join(str(value) for key, value in named if key.endswith("base_model_name_or_path"))


def read_configs(
    metadata: Mapping[str, str], beside: str | None = None, alpha: float | None = None
) -> dict[str, PeftConfig]:
    """The adapter config of each network.

    Args:
        metadata: of the file.
        beside: the text of the adapter_config.json beside it; the metadata come first.
        alpha: what the member says, for a file without a config.

    Returns:
        By network; empty where nothing is known.

    Raises:
        UserError: the config is damaged, or of an algorithm that Limner does not read, or says another alpha than the
            member.
    """
    text = _text(metadata, beside)
    if text is None:
        return {} if alpha is None else {network: PeftConfig(alpha=_number(alpha)) for network in _NETWORKS}
    if alpha is not None:
        raise UserError("This file states its own alpha; add it without one.")
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError("The adapter config that comes with this file is damaged; download it again.") from error
    if not isinstance(entries, dict):
        raise UserError("The adapter config that comes with this file is damaged; download it again.")
    return {network: _config({**entries, **_own(entries, network)}) for network in _NETWORKS}


def _text(metadata: Mapping[str, str], beside: str | None) -> str | None:
    return next((metadata[key] for key in _METADATA if key in metadata), beside)


def _own(entries: Mapping[str, object], network: str) -> dict[str, object]:
    """The entries that diffusers prefixes with the network's name."""
    return {key.removeprefix(f"{network}."): value for key, value in entries.items() if key.startswith(f"{network}.")}


def _config(entries: dict[str, object]) -> PeftConfig:
    refuse_other_config(entries)
    patterns = entries.get("alpha_pattern") or {}
    if not isinstance(patterns, dict) or not all(_PLAIN.fullmatch(key) for key in patterns):
        raise UserError("This file's adapter config names layers by patterns that Limner does not run.")
    # PEFT's LoHa calls it by the shorter name. Settings of another network alone say nothing of this one.
    alpha = entries.get("lora_alpha", entries.get("alpha", _DEFAULT_ALPHA if entries.keys() & _ALWAYS else None))
    return PeftConfig(
        alpha=None if alpha is None else _number(alpha),
        patterns={key: _number(value) for key, value in patterns.items()},
        rank_stabilised=entries.get("use_rslora") is True,
        dora=entries.get("use_dora") is True,
    )


def _number(value: object) -> float:
    # A larger one than this is an attack or a mistake, and might not even fit a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MAX_ALPHA:
        raise UserError("This file's adapter config has an alpha that is no usable number.")
    return float(value)


def _matches(pattern: str, path: str) -> bool:
    key = pattern.removeprefix("^").removeprefix(CLIP_WRAPPER)
    return path == key or (not pattern.startswith("^") and path.endswith(f".{key}"))
