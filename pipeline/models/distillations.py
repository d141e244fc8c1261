"""What was distilled to few steps: known by its name, and how each kind is sampled."""

import re
from dataclasses import dataclass
from typing import Final

from pipeline.requests.image_request import Scheduler
from pipeline.requests.sampling import Sampling
from pipeline.requests.spacing import Spacing

_STEPS: Final = re.compile(r"(?<![\d.])(\d{1,2})[ -]?steps?\b")
_SDE: Final = re.compile(r"\bdpm ?(\+\+|pp)? ?sde\b")
_WITH_GUIDANCE: Final = re.compile(r"\d[ -]?steps?[ -]?cfg\b|\bnormal[ -]?cfg\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """One way to few steps.

    `model` finds it in a model's name and `title` in that of a LoRA, which may name a thing instead; `counts` are the
    steps that it is published for, and `usual` what is taken where a name says none, or more than all of them. `words`
    are for a card.
    """

    name: str
    model: re.Pattern[str]
    title: re.Pattern[str]
    counts: tuple[int, ...]
    usual: int
    scheduler: Scheduler
    spacing: Spacing = Spacing.NORMAL
    words: str

    @property
    def sentence(self) -> str:
        """What a card says of it."""
        return f"Distilled: {self.name}; it wants {self.words}."

    def sampling(self, name: str) -> Sampling:
        """How what has this name is sampled.

        Args:
            name: may say the number of steps, that guidance was kept, and DPM++ SDE, which some were made for.

        Returns:
            The kind's own sampling, with what the name says.
        """
        words = plain(name)
        stated = [int(match[1]) for match in _STEPS.finditer(words) if 1 <= int(match[1]) <= max(self.counts)]
        guidance = None if _WITH_GUIDANCE.search(words) else 1.0
        steps = stated[0] if stated else self.usual
        sampler = (Scheduler.DPMPP_SDE, Spacing.KARRAS) if _SDE.search(words) else (self.scheduler, self.spacing)
        return Sampling(steps=steps, guidance_scale=guidance, scheduler=sampler[0], spacing=sampler[1])


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


DISTILLATIONS: Final = (
    Distillation(
        name="Lightning",  # Lin et al., 2024 (arXiv 2402.13929)
        model=_words(r"lightning"),
        title=_words(r"(sdxl|sd15|xl)[ -]?lightning|lightning[ -]?(lora|\d+[ -]?steps?)"),
        counts=(1, 2, 4, 8),
        usual=4,
        scheduler=Scheduler.EULER,
        spacing=Spacing.TRAILING,
        words="2 to 8 steps, guidance 1 and Euler with trailing steps",
    ),
    Distillation(
        name="Hyper",  # Ren et al., 2024 (arXiv 2404.13686)
        model=_words(r"\bhyper\b(?![- ]?(real|detail))|hyper[- ]?sd"),
        title=_words(r"hyper[ -]?(sd|sdxl)\b|(sdxl|sd15|xl)[ -]hyper\b"),
        counts=(1, 2, 4, 8, 12, 16),
        usual=8,
        scheduler=Scheduler.DDIM,
        spacing=Spacing.TRAILING,
        words="1 to 12 steps, guidance 1 and DDIM or TCD",
    ),
    Distillation(
        name="DMD2",  # Yin et al., 2024 (arXiv 2405.14867)
        model=_words(r"\bdmd2?\b"),
        title=_words(r"\bdmd2\b"),
        counts=(1, 4, 8),
        usual=4,
        scheduler=Scheduler.LCM,
        spacing=Spacing.TRAILING,
        words="4 to 8 steps, guidance 1 and LCM",
    ),
    Distillation(
        name="PCM",  # Wang et al., 2024 (arXiv 2405.18407)
        model=_words(r"\bpcm\b"),
        title=_words(r"\bpcm[ -](lora|sd|sdxl|sd15)\b|phased[ -]consistency"),
        counts=(2, 4, 8, 16),
        usual=8,
        scheduler=Scheduler.DDIM,
        spacing=Spacing.TRAILING,
        words="2 to 16 steps, guidance 1 to 2 and DDIM with trailing steps",
    ),
    Distillation(
        name="TCD",  # Zheng et al., 2024 (arXiv 2402.19159)
        model=_words(r"\btcd\b|trajectory[- ]consistency"),
        title=_words(r"\btcd[ -](lora|sd|sdxl|sd15)\b|trajectory[ -]consistency"),
        counts=(4, 8),
        usual=4,
        scheduler=Scheduler.TCD,
        words="4 to 8 steps, guidance 1 and TCD",
    ),
    Distillation(
        name="LCM",  # Luo et al., 2023 (arXiv 2310.04378)
        model=_words(r"\blcm\b|latent[- ]consistency"),
        title=_words(r"\blcm[ -]?lora|latent[ -]consistency|(sdxl|sd15|xl)[ -]lcm\b|\blcm[ -]?(sdxl|sd)"),
        counts=(1, 2, 4, 8),
        usual=4,
        scheduler=Scheduler.LCM,
        words="4 to 8 steps, guidance 1 to 2 and LCM",
    ),
    Distillation(
        name="Turbo",  # Sauer et al., 2023 (arXiv 2311.17042)
        model=_words(r"turbo"),
        title=_words(r"(sdxl|sd|xl)[ -]?turbo|turbo[ -]?(sdxl|lora|\d+[ -]?steps?)"),
        counts=(1, 2, 4, 8),
        usual=4,
        scheduler=Scheduler.EULER_A,
        spacing=Spacing.TRAILING,
        words="1 to 8 steps, guidance 1 and Euler a with trailing steps",
    ),
)
"""The first that fits counts: what is more particular stands before what is less."""


def plain(name: str) -> str:
    """A name as the patterns read it.

    Args:
        name: of a file, a repository or a page.

    Returns:
        In small letters, with spaces for underscores and between a lower and a capital letter; not the whole of a
        very long one.
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:500]).replace("_", " ").replace("/", " ").lower()


def of_model(name: str) -> Distillation | None:
    """What a model was distilled by.

    Args:
        name: its own.

    Returns:
        None where the name says nothing of that.
    """
    words = plain(name)
    return next((kind for kind in DISTILLATIONS if kind.model.search(words)), None)


def of_lora(title: str) -> Distillation | None:
    """What a LoRA distils a model by.

    Args:
        title: of its page and its file.

    Returns:
        None for one that leaves the steps as they are.
    """
    words = plain(title)
    return next((kind for kind in DISTILLATIONS if kind.title.search(words)), None)
