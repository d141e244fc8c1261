"""What a training says: how far it is, and what came of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    """`step` of at most `steps` are done; `sheet` is a JPEG with the plot of the loss and samples, None while old."""

    step: int
    steps: int
    settling: bool = False
    sheet: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How good a set of weights is, judged by the untrained model itself.

    `subject` is how alike its samples are to the training images, as a share of how alike these are to each other: 0
    and up, a little over 1 where the samples are more alike than those. `prompt`, 0 to 1, is how often a sample shows
    what its prompt said. `kept` is 1 where images of the plain class stay what they were, 0 where they are as far
    from that as other images of the class are.
    """

    subject: float
    prompt: float
    kept: float

    @property
    def overall(self) -> float:
        """One number to compare by: the geometric mean, which no single good score can carry."""
        return float((self.subject * self.prompt * self.kept) ** (1 / 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCandidate:
    """Weights that may be chosen: a canonical LoRA `file` in the training's folder, after so many steps."""

    file: str
    step: int
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """The end of a training: up to three `candidates` by their steps, of which number `chosen` scored best.

    `sheet` is the name of a PNG in the training's folder: samples of the chosen one, prompts by LoRA scales.
    `seconds` are the device's; `settled` says that it ended because the loss had.
    """

    candidates: tuple[TrainingCandidate, ...]
    chosen: int
    steps: int
    settled: bool
    seconds: float
    sheet: str
