"""Bases and their derivatives by what is written of a file: by its trainer, in its metadata, or on its page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.lora.importing.base_model_layers import SDXL_TWINS

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
    """A model that was trained on from SDXL or SD 1.5, or a distillation; `sampling` is what the latter wants."""

    name: str
    sampling: str = ""

    @property
    def sentence(self) -> str:
        """What a card says of it."""
        if self.sampling:
            return f"Distilled: {self.name}; it wants {self.sampling}."
        return f"Trained on {self.name}, a derivative; it does most there."


_LIGHTNING: Final = Derivative(name="Lightning", sampling="2 to 8 steps, guidance 1 and Euler with trailing steps")
_HYPER: Final = Derivative(name="Hyper", sampling="1 to 12 steps, guidance 1 and DDIM or TCD")
_DMD2: Final = Derivative(name="DMD2", sampling="4 to 8 steps, guidance 1 and LCM")
_LCM: Final = Derivative(name="LCM", sampling="4 to 8 steps, guidance 1 to 2 and LCM")
_TURBO: Final = Derivative(name="Turbo", sampling="1 to 8 steps, guidance 1 and Euler a with trailing steps")


def _kinds(*pairs: tuple[str, Derivative]) -> tuple[tuple[re.Pattern[str], Derivative], ...]:
    return tuple((re.compile(pattern, re.ASCII), own) for pattern, own in pairs)


# Words about the model that a LoRA was trained on.
_BY_MODEL: Final = _kinds(
    (r"pony(?![\s-]*v?7)", Derivative(name="Pony")),
    (r"noob", Derivative(name="NoobAI")),
    (r"illustrious|\bilxl|wai[- ]?nsfw|\bwai[- ]?illu", Derivative(name="Illustrious")),
    (r"animagine", Derivative(name="Animagine")),
    (r"lightning", _LIGHTNING),
    (r"\bhyper\b|hyper[- ]?sd", _HYPER),
    (r"\bdmd2?\b", _DMD2),
    (r"\blcm\b|latent[- ]consistency", _LCM),
    (r"turbo", _TURBO),
)
# A title may name a thing, such as a pony or lightning: here the words must be those of a distillation.
_BY_TITLE: Final = _kinds(
    (r"(sdxl|sd15|xl)[ -]?lightning|lightning[ -]?(lora|\d+[ -]?steps?)", _LIGHTNING),
    (r"hyper[ -]?(sd|sdxl)\b|(sdxl|sd15|xl)[ -]hyper\b", _HYPER),
    (r"\bdmd2\b", _DMD2),
    (r"\blcm[ -]?lora|latent[ -]consistency|(sdxl|sd15|xl)[ -]lcm\b|\blcm[ -]?(sdxl|sd)", _LCM),
    (r"(sdxl|sd|xl)[ -]?turbo|turbo[ -]?(sdxl|lora|\d+[ -]?steps?)", _TURBO),
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


def derivatives(metadata: Mapping[str, str], base_model: str = "", title: str = "") -> tuple[Derivative, ...]:
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
    titles = _plain((title, *(metadata.get(key, "") for key in _TITLE_KEYS)))
    return tuple(
        dict.fromkeys(
            (
                *by_hash,
                *(own for pattern, own in _BY_MODEL if pattern.search(model)),
                *(own for pattern, own in _BY_TITLE if pattern.search(titles)),
            )
        )
    )


def _plain(words: tuple[str, ...]) -> str:
    return " ".join(word[:500] for word in words).lower().replace("_", " ")
