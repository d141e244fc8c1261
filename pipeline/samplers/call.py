"""What a sampler does with one answer of the denoiser: numbers alone, known before the walk begins."""

from dataclasses import dataclass

from pipeline.samplers.noise_level import NoiseLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSum:
    """What new latents are made of, each part with its weight.

    `latents` are those that the denoiser was shown, `answer` is what it said; `guess` is what that says of the image,
    or what else the sampler reckons with (`guess_of`); `noise` is drawn for this sum; `base` are the latents that an
    earlier call kept; `earlier` are the guesses of the calls before, the latest first.
    """

    latents: float = 0.0
    answer: float = 0.0
    guess: float = 0.0
    noise: float = 0.0
    base: float = 0.0
    earlier: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the denoiser: where, in which step of the walk, and what follows from its answer.

    `after` are the latents that the next call is shown, `base` what is kept for later calls, None to leave it; a guess
    that is not `remembered` is forgotten after this call.
    """

    step: int
    level: NoiseLevel
    after: WeightedSum
    base: WeightedSum | None = None
    remembered: bool = True


STAYS = WeightedSum(latents=1.0)
"""The latents as the denoiser was shown them."""
