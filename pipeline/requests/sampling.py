"""How a model or a LoRA wants to be sampled."""

from dataclasses import dataclass, replace

from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.spacing import Spacing


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What a request takes that says nothing else; a `guidance_scale` of None is the model's own, up to 1 none."""

    steps: int
    guidance_scale: float | None
    scheduler: Scheduler
    spacing: Spacing = Spacing.NORMAL

    def guided(self, guidance_scale: float) -> "Sampling":
        """The same with another guidance.

        Args:
            guidance_scale: instead of its own.

        Returns:
            Equal in all else.
        """
        return replace(self, guidance_scale=guidance_scale)

    def is_in(self, request: ImageRequest) -> bool:
        """Whether a request is sampled so.

        Args:
            request: of any model.

        Returns:
            False where it differs in anything that this says.
        """
        guided = self.guidance_scale is None or self.guidance_scale == request.guidance_scale
        own = (self.steps, self.scheduler, self.spacing)
        return guided and own == (request.steps, request.scheduler, request.spacing)

    def __str__(self) -> str:
        """In words.

        Returns:
            Such as "4 steps, guidance 1 and euler, spaced trailing".
        """
        guidance = "" if self.guidance_scale is None else f", guidance {self.guidance_scale:g}"
        spacing = "" if self.spacing is Spacing.NORMAL else f", spaced {self.spacing}"
        return f"{self.steps} steps{guidance} and {self.scheduler}{spacing}"
