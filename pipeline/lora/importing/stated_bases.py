"""Bases and their derivatives by what is written of a file: by its trainer, in its metadata, or on its page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.lora.importing.base_model_layers import SDXL_TWINS
from pipeline.models.distillations import DISTILLATIONS, Distillation, of_lora, plain
from pipeline.requests.sampling import Sampling

_BASE_KEYS: Final = ("ss_base_model_version", "modelspec.architecture", "base_model", "ss_v2")
_MODEL_KEYS: Final = ("ss_sd_model_name", "ss_base_model_version", "modelspec.architecture", "base_model")
_TITLE_KEYS: Final = ("modelspec.title", "ss_output_name", "name")
_HASH_KEYS: Final = ("ss_sd_model_hash", "ss_new_sd_model_hash", "sshs_model_hash")


def _patterns(*pairs: tuple[str, str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern, re.ASCII), words) for pattern, words in pairs)


# The first that fits counts: what is more particular stands before what is less.
_STATED: Final = _patterns(
    (r"pony[\s_-]*v?7", "AuraFlow"),
    (r"kolors", "Kolors"),
    (r"playground[\s_-]*v?\.?2", "Playground v2"),
    (r"ssd[-_]?1b", "SSD-1B"),
    (r"segmind[-_]?vega", "Segmind Vega"),
    (r"flux[\s._-]*2|klein", "FLUX.2"),
    (r"chroma", "Chroma"),
    (r"flux", "FLUX.1"),
    (r"z[\s_-]?image", "Z-Image"),
    (r"qwen", "Qwen-Image"),
    (r"hi[\s_-]?dream", "HiDream"),
    (r"hunyuan[\s_-]*image", "HunyuanImage"),
    (r"hunyuan[\s_-]*(dit|1\b|v1\.[012])", "Hunyuan-DiT"),
    (r"hunyuan|framepack", "HunyuanVideo"),
    (r"\bwan\b|wan[\s_-]*(video|2|\d)|\bwan_", "Wan"),
    (r"cogvideo", "CogVideoX"),
    (r"cogview", "CogView4"),
    (r"mochi", "Mochi"),
    (r"\bltx", "LTX-Video"),
    (r"lumina", "Lumina"),
    (r"aura[\s_-]?flow", "AuraFlow"),
    (r"pixart", "PixArt"),
    (r"\bsana\b|\bsana[-_ ]", "Sana"),
    (r"cascade|wuerstchen", "Stable Cascade"),
    (r"stable[-_ ]diffusion[-_ ]v?3|\bsd[-_ ]?v?3", "SD 3"),
    (r"refiner", "the SDXL refiner"),
    (r"sd[-_ ]?xl|stable[-_ ]diffusion[-_ ]xl|\bpony\b|illustrious|noob[-_ ]?ai|animagine", "SDXL"),
    (r"stable[-_ ]diffusion[-_ ]v?2|\bsd[-_ ]?v?2", "SD 2"),
    (r"stable[-_ ]diffusion[-_ ]v?1|\bsd[-_ ]?v?1", "SD 1.5"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivative:
    """A model that was trained on from SDXL or SD 1.5."""

    name: str

    @property
    def sentence(self) -> str:
        """What a card says of it."""
        return f"Trained on {self.name}, a derivative; it does most there."


# Words about the model that a LoRA was trained on.
_BY_MODEL: Final[tuple[tuple[re.Pattern[str], Derivative | Distillation], ...]] = (
    (re.compile(r"pony(?![\s-]*v?7)", re.ASCII), Derivative(name="Pony")),
    (re.compile(r"noob", re.ASCII), Derivative(name="NoobAI")),
    (re.compile(r"illustrious|\bilxl|wai[- ]?nsfw|\bwai[- ]?illu", re.ASCII), Derivative(name="Illustrious")),
    (re.compile(r"animagine", re.ASCII), Derivative(name="Animagine")),
    *((kind.model, kind) for kind in DISTILLATIONS),
)
# The beginning of the SHA-256 of the checkpoint that a LoRA was trained on.
_HASHES: Final = {"67ab2fd8ec": Derivative(name="Pony")}


def stated_base(words: str) -> str | None:
    """The base that words mean.

    Args:
        words: of a page or of metadata.

    Returns:
        As people write it; None where they name none that is known.
    """
    lowered = words[:2000].lower()
    return next((base for pattern, base in _STATED if pattern.search(lowered)), None)


def stated_words(metadata: Mapping[str, str]) -> str:
    """What metadata say of the base.

    Args:
        metadata: of a file.

    Returns:
        Words for `stated_base`.
    """
    words = " ".join(metadata.get(key, "")[:200] for key in _BASE_KEYS[:3])
    return f"{words} sd_v2" if metadata.get("ss_v2") == "True" and not words.strip() else words


def stated_bases(metadata: Mapping[str, str], *others: str) -> tuple[str, ...]:
    """The bases that are stated of a file.

    Args:
        metadata: of the file.
        *others: what its page and its adapter config say that it is for.

    Returns:
        Those that share SDXL's layers first, since whatever else is said may be of the layers alone.
    """
    found = [base for words in (*others, stated_words(metadata)) if (base := stated_base(words)) is not None]
    # kohya's trainer says SDXL's version of whatever has its layers; the name of the checkpoint tells them apart.
    if (named := stated_base(metadata.get("ss_sd_model_name", ""))) in SDXL_TWINS and named is not None:
        found.append(named)
    return tuple(sorted(found, key=lambda base: base not in SDXL_TWINS))


def derivatives(
    metadata: Mapping[str, str], base_model: str = "", title: str = ""
) -> tuple[Derivative | Distillation, ...]:
    """The models between the base and a file that its metadata or its page name.

    Args:
        metadata: of the file.
        base_model: what its page says that it is for.
        title: of the page, or the file's name.

    Returns:
        Each once.
    """
    by_hash = (own for key in _HASH_KEYS for start, own in _HASHES.items() if metadata.get(key, "").startswith(start))
    model = _plain((base_model, *(metadata.get(key, "") for key in _MODEL_KEYS)))
    titles = _plain(_titles(metadata, title))
    return tuple(
        dict.fromkeys(
            (
                *by_hash,
                *(own for pattern, own in _BY_MODEL if pattern.search(model)),
                *(kind for kind in DISTILLATIONS if kind.title.search(titles)),
            )
        )
    )


def proposed_sampling(metadata: Mapping[str, str], title: str = "") -> Sampling | None:
    """How a LoRA that distils its base wants to be sampled.

    Args:
        metadata: of the file.
        title: of the page, and the file's name.

    Returns:
        None for one that is no distillation, even if it was trained on a distilled model.
    """
    for words in _titles(metadata, title):
        if (kind := of_lora(words)) is not None:
            return kind.sampling(words)
    return None


def _titles(metadata: Mapping[str, str], title: str) -> tuple[str, ...]:
    return (title, *(metadata.get(key, "") for key in _TITLE_KEYS))


def _plain(words: tuple[str, ...]) -> str:
    return " ".join(map(plain, words))
