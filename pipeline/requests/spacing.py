"""How the steps of a walk from noise to an image are spaced."""

from enum import StrEnum

from pipeline.errors import InvalidRequest
from pipeline.requests.sampler_names import SPACING_NAMES, spacing_of


class Spacing(StrEnum):
    """The spacings that a request may choose; the value is what a member types. NORMAL is what the model's own
    scheduler config says.
    """

    NORMAL = "normal"
    KARRAS = "karras"
    EXPONENTIAL = "exponential"
    BETA = "beta"
    SGM_UNIFORM = "sgm-uniform"
    SIMPLE = "simple"
    AYS = "ays"
    TRAILING = "trailing"

    @property
    def label(self) -> str:
        """As AUTOMATIC1111 writes it behind `Schedule type`."""
        return SPACING_NAMES[self][0]

    @classmethod
    def parse(cls, text: str) -> "Spacing":
        """The spacing of a name.

        Args:
            text: a value, or AUTOMATIC1111's, ComfyUI's or diffusers' name, in any case.

        Returns:
            The spacing.

        Raises:
            InvalidRequest: there is none of that name; the sentence lists those that exist.
        """
        if (found := spacing_of(text)) is not None:
            return cls(found)
        names = ", ".join(spacing.value for spacing in cls)
        raise InvalidRequest("spacing", f"spacing '{text:.60}' is unknown; choose one of: {names}.")
