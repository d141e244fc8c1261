"""The judge: a small network that says which concept, style and background an image shows, and how alike two are."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from recipes.pocket.architecture import POOLED
from recipes.pocket.scenes import BACKGROUNDS, STYLES

WEIGHTS = Path(__file__).with_name("judge.safetensors")
_WIDTHS = (32, 64, 128, 192)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeScores:
    """The judge's scores for a batch of images, before softmax, and the images' embeddings of length one."""

    concept: Tensor
    style: Tensor
    background: Tensor
    embedding: Tensor


class Judge(nn.Module):
    """Reads RGB images from -1 to 1, of any size; trained on renderings of 128 x 128."""

    def __init__(self, concept_count: int) -> None:
        super().__init__()
        widths = (3, *_WIDTHS)
        blocks = [_block(before, after) for before, after in itertools.pairwise(widths)]
        self.trunk = nn.Sequential(*blocks)
        features = _WIDTHS[-1] * 5
        self.concept = nn.Linear(features, concept_count)
        self.style = nn.Linear(features, len(STYLES))
        self.background = nn.Linear(features, len(BACKGROUNDS))
        self.embedding = nn.Linear(features, POOLED)

    def forward(self, images: Tensor) -> JudgeScores:
        """The scores of each image."""
        maps = self.trunk(functional.interpolate(images, size=(64, 64), mode="area"))
        coarse = functional.adaptive_max_pool2d(maps, 2).flatten(1)
        features = torch.cat([coarse, maps.mean(dim=(2, 3))], dim=1)
        return JudgeScores(
            concept=self.concept(features),
            style=self.style(features),
            background=self.background(features),
            embedding=functional.normalize(self.embedding(features), dim=-1),
        )


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1, groups=after // 16, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
    )  # fmt: skip


def save_judge(judge: Judge, path: Path = WEIGHTS) -> None:
    """Writes the weights in half precision."""
    save_file(
        {name: value.half() if value.is_floating_point() else value for name, value in judge.state_dict().items()}, path
    )


def load_judge(path: Path = WEIGHTS) -> Judge:
    """The shipped judge, ready to use."""
    weights = load_file(path)
    judge = Judge(concept_count=len(weights["concept.bias"]))
    judge.load_state_dict(weights)
    return judge.eval()
