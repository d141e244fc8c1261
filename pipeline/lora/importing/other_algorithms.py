"""Algorithms whose files Limner does not read, called by their own names."""

import re
from collections.abc import Iterable
from typing import Final

from pipeline.errors import UserError

_READ: Final = frozenset({"LORA", "LOHA"})
_PEFT_NAMES: Final = {
    "ADALORA": "AdaLoRA",
    "ADAMSS": "AdaMSS",
    "ADAPTION_PROMPT": "LLaMA-Adapter",
    "C3A": "C3A",
    "DELORA": "DeLoRA",
    "FOURIERFT": "FourierFT",
    "FROD": "FRoD",
    "GLORA": "GLoRA",
    "GRALORA": "GraLoRA",
    "HIRA": "HiRA",
    "IA3": "(IA)^3",
    "LILY": "Lily",
    "LN_TUNING": "LN tuning",
    "LOKR": "LoKr",
    "MISS": "MiSS",
    "PEANUT": "PEANuT",
    "POLY": "Polytropon",
    "PVERA": "PVeRA",
    "RANDLORA": "RandLoRA",
    "ROAD": "RoAd",
    "SHIRA": "SHiRA",
    "TINYLORA": "TinyLoRA",
    "TRAINABLE_TOKENS": "trainable tokens",
    "UNILORA": "Uni-LoRA",
    "VBLORA": "VB-LoRA",
    "VERA": "VeRA",
    "WAVEFT": "WaveFT",
    "XLORA": "X-LoRA",
    "BONE": "Bone",
}
# These begin from a part of the base's own weight, which the base then lacks: their halves are no change of the base.
_REBASED: Final = {
    "pissa": "PiSSA",
    "olora": "OLoRA",
    "corda": "CorDA",
    "loftq": "LoftQ",
    "lora_ga": "LoRA-GA",
    "milora": "MiLoRA",
    "lora_sb": "LoRA-SB",
}
_PLAIN_STARTS: Final = frozenset({"true", "false", "none", "", "gaussian", "eva", "orthogonal", "mica", "kaiming"})
_VARIANTS: Final = {
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "alora_invocation_tokens": "aLoRA",
    "arrow_config": "Arrow",
    "monteclora_config": "MonteCLoRA",
    "kasa_config": "KaSA",
    "layer_replication": "LoRA with replicated layers",
}

# A tensor whose name holds the pattern is of that algorithm alone.
_TENSORS: Final = tuple(
    (re.compile(pattern, re.ASCII), name)
    for pattern, name in (
        (r"\bbase_model\..*\.lokr_", "PEFT's LoKr"),
        (r"(^|[._])lllite_|\.conditioning1\.\d", "ControlNet-LLLite"),
        (r"\.(q_layer|p_layer|base_[qp])\b|\.(lambda_layer|base_lambda)$", "T-LoRA"),
        (r"\.oft_(embedding_)?R\b", "PEFT's OFT"),
        (r"\.boft_[RsP]\b", "PEFT's BOFT"),
        (r"\.pvera_", "PVeRA"),
        (r"\.vera_(lambda_[bd]|[AB])\b", "VeRA"),
        (r"\.hra_u\b", "HRA"),
        (r"\.ia3_l\b", "PEFT's (IA)^3"),
        (r"\.fourierft_", "FourierFT"),
        (r"\.miss_block", "MiSS"),
        (r"\.bone_block", "Bone"),
        (r"\.randlora_", "RandLoRA"),
        (r"\.delora_", "DeLoRA"),
        (r"\.gralora_", "GraLoRA"),
        (r"\.road_(theta|alpha)", "RoAd"),
        (r"\.waveft_", "WaveFT"),
        (r"\.(lora_E|ranknum)\b", "AdaLoRA"),
        (r"\.lily_", "Lily"),
        (r"\.osf_|\.(U|V|S)_(low|high)\b", "OSF"),
        (r"\.shira_", "SHiRA"),
        (r"\.c3a_", "C3A"),
        (r"\bvblora_", "VB-LoRA"),
        (r"\.glora_", "PEFT's GLoRA"),
        (r"\.hira_", "HiRA"),
        (r"\.ln_tuning_", "LN tuning"),
        (r"\.poly_", "Polytropon"),
        (r"\bxlora_|\.internal_xlora", "X-LoRA"),
        (r"\.psoft_", "PSOFT"),
        (r"\btinylora_", "TinyLoRA"),
        (r"\bunilora_", "Uni-LoRA"),
        (r"\.frod_", "FRoD"),
        (r"\.beft_", "BEFT"),
        (r"\.adamss_", "AdaMSS"),
        (r"\.peanut_", "PEANuT"),
        (r"\.deft_", "DEFT"),
        (r"\.supertuning_", "SuperTuning"),
        (r"\.trainable_tokens_", "trainable tokens"),
        (r"\b(prompt_embeddings|prompt_encoder)\b", "prompt tuning"),
        (r"custom_diffusion", "Custom Diffusion"),
        (r"\.(spectral_shifts?|delta_sigma)$", "SVDiff"),
        (r"\.(lora_down_aux|lora_up_aux|down_aux|up_aux)\b", "Lightweight DreamBooth"),
        (r"\.lora_(mora|M)\b|\.mora_", "MoRA"),
        (r"\.abba_|\.lora_[AB][12](\.|$)", "ABBA"),
    )
)  # fmt: skip

# One search for the many names that fit none.
_ANY: Final = re.compile("|".join(pattern.pattern for pattern, _ in _TENSORS), re.ASCII)


def refuse_other_tensors(names: Iterable[str]) -> None:
    """Check that no tensor belongs to an algorithm that is not read.

    Args:
        names: of a file's tensors.

    Raises:
        _NotRead: calls the algorithm by its name.
    """
    for name in filter(_ANY.search, names):
        for pattern, algorithm in _TENSORS:
            if pattern.search(name):
                raise _NotRead(algorithm)


def refuse_other_config(entries: dict[str, object]) -> None:
    """Check that an adapter config describes a LoRA whose halves are a change of the base.

    Args:
        entries: of the config, for one network.

    Raises:
        _NotRead: calls the algorithm by its name.
        UserError: the halves count from another base.
    """
    kind = str(entries.get("peft_type") or "LORA").upper()
    if kind not in _READ:
        raise _NotRead(f"PEFT's {_PEFT_NAMES.get(kind, _printable(kind))}")
    for key, name in _VARIANTS.items():
        if entries.get(key):
            raise _NotRead(name)
    start = str(entries.get("init_lora_weights", True)).lower()
    for key, name in _REBASED.items():
        if start.startswith(key):
            raise UserError(
                f"This is {name} (init_lora_weights), which counts from a base without a part of its weights; "
                "convert it to a plain LoRA with PEFT first."
            )
    if start not in _PLAIN_STARTS:
        raise _NotRead(f"a LoRA that begins as '{_printable(start)}'")


def _printable(text: str) -> str:
    return re.sub(r"[^\w .-]", "", text, flags=re.ASCII)[:20]


class _NotRead(UserError):
    def __init__(self, algorithm: str) -> None:
        super().__init__(
            f"This file is {algorithm}, which Limner cannot read; add it as a plain LoRA or in LyCORIS's form."
        )
