"""What is learnt from: images as latents, by shape, each with its prompt; and who comes up at which step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from pipeline.images.input_image import read_image
from pipeline.training.config import TrainingConfig
from pipeline.training.model import TrainedModel
from pipeline.training.request import TrainingImage


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExample:
    """One image: `mean` and `deviation` of its latents (1, 4, height, width), the prompt that it goes by.

    Where `mask` (1, 1, height, width) is 0 nothing is learnt; `size` is the image's, height and width in pixels.
    """

    mean: Tensor
    deviation: Tensor
    prompt: str
    size: tuple[int, int]
    mask: Tensor | None = None

    def latents(self, generator: torch.Generator) -> Tensor:
        """The image as the autoencoder sees it this time.

        Args:
            generator: on the CPU, of the draw from the latents' distribution.

        Returns:
            (1, 4, height, width), scaled.
        """
        drawn = torch.randn(self.mean.shape, generator=generator).to(self.mean.device)
        return self.mean + self.deviation * drawn


def image_examples(model: TrainedModel, images: Iterable[TrainingImage], plan: TrainingConfig) -> list[TrainingExample]:
    """What a training learns from its images.

    Args:
        model: its autoencoder makes the latents.
        images: PNGs as they will be used.
        plan: fills the captions, and may ask for mirror images.

    Returns:
        One example for each image, and one for its mirror image where the plan flips.
    """
    examples = []
    for image in images:
        seen = read_image(image.path.read_bytes())
        prompt = image.caption.replace("{}", plan.instance_prompt)
        turns = (False, True) if plan.flips else (False,)
        examples += [_example(model, seen.rgb, seen.alpha, prompt, flipped=flipped) for flipped in turns]
    return examples


def group(examples: Sequence[TrainingExample]) -> list[list[TrainingExample]]:
    """Sort examples into those that can share a batch.

    Args:
        examples: of any shapes.

    Returns:
        The examples by the shape of their latents.
    """
    groups: dict[torch.Size, list[TrainingExample]] = {}
    for example in examples:
        groups.setdefault(example.mean.shape, []).append(example)
    return list(groups.values())


def pick(groups: Sequence[Sequence[TrainingExample]], count: int, generator: torch.Generator) -> list[TrainingExample]:
    """Draw a batch: shapes by how many examples have them, then each example about as often as the others.

    Args:
        groups: from `group`.
        count: the size of the batch; examples repeat only where the group has fewer.
        generator: on the CPU.

    Returns:
        `count` examples of one shape.
    """
    sizes = torch.tensor([float(len(one)) for one in groups])
    chosen = groups[int(torch.multinomial(sizes, 1, generator=generator))]
    rounds = -(-count // len(chosen))
    order = [place for _ in range(rounds) for place in torch.randperm(len(chosen), generator=generator).tolist()]
    return [chosen[place] for place in order[:count]]


def masks_of(examples: Sequence[TrainingExample]) -> Tensor | None:
    """The masks of a batch.

    Args:
        examples: of one shape.

    Returns:
        (rows, 1, height, width) from 0, not learnt, to 1; None where nothing is masked.
    """
    if all(example.mask is None for example in examples):
        return None
    return torch.cat([torch.ones_like(one.mean[:, :1]) if one.mask is None else one.mask for one in examples])


def sizes_of(examples: Sequence[TrainingExample], like: Tensor) -> Tensor:
    """SDXL's time ids of a batch (Podell et al., 2023; arXiv 2307.01952, section 2.2).

    Args:
        examples: of one shape.
        like: has the dtype and the device.

    Returns:
        (rows, 6): an image's own height and width, no crop, the height and width that are asked for.
    """
    return torch.tensor([[*one.size, 0, 0, *one.size] for one in examples], dtype=like.dtype, device=like.device)


def _example(
    model: TrainedModel, rgb: Image.Image, alpha: Image.Image | None, prompt: str, *, flipped: bool
) -> TrainingExample:
    pixels = _tensor(rgb) * 2 - 1
    mask = None if alpha is None else _tensor(alpha)
    if flipped:
        pixels, mask = pixels.flip(-1), None if mask is None else mask.flip(-1)
    mean, deviation = model.encode(pixels)
    small = None if mask is None else functional.interpolate(mask, mean.shape[-2:], mode="area").to(mean.device)
    return TrainingExample(mean=mean, deviation=deviation, prompt=prompt, size=(rgb.height, rgb.width), mask=small)


def _tensor(image: Image.Image) -> Tensor:
    """(1, channels, height, width) from 0 to 1."""
    values = torch.from_numpy(np.array(image, dtype=np.float32)) / 255
    return (values[None] if values.ndim == 2 else values.permute(2, 0, 1))[None]
