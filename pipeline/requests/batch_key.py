"""What requests must have in common to share a call of the denoiser."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What must be equal for two rows to meet in one call: the checkpoint, the latent size, the length of the texts.

    `windows` counts the text encoders' windows that a row's prompt takes.
    """

    checkpoint: str
    height: int
    width: int
    windows: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchKey:
    """A group: rows of one shape, padded to `bucket` rows and to `pages` pages of LoRAs a row, `compiled` or not.

    With `own_weights` layers run request by request, each on weights of its own where its LoRAs need them.

    All are part of the key because an image's last bits depend on the sizes of the tensors in a call and on the code
    that computes it, and on nothing else of its neighbours: so they are fixed for an image's whole life.
    """

    shape: Shape
    bucket: int
    pages: int = 0
    own_weights: bool = False
    compiled: bool = False
