"""The judge of composed scenes: which things an image of any size shows, how many, in what style, on what colours."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from recipes.pocket.canvas import on
from recipes.pocket.composed_batch import ComposedBatch
from recipes.pocket.composition import MOST_DRAWINGS
from recipes.pocket.scenes import BACKGROUNDS, STYLES

WEIGHTS = Path(__file__).with_name("scene_judge.safetensors")
_WIDTHS = (3, 32, 64, 128, 192)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneJudgeScores:
    """Scores before softmax; before the sigmoid for concepts and colours, of which there may be several."""

    concepts: Tensor
    colours: Tensor
    style: Tensor
    count: Tensor


class SceneJudge(nn.Module):
    """Reads RGB images from -1 to 1, of about the native size; `count` is the number of drawings less one."""

    def __init__(self, concept_count: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*itertools.starmap(_block, itertools.pairwise(_WIDTHS)))
        self._parts = (concept_count, len(BACKGROUNDS), len(STYLES), MOST_DRAWINGS)
        self.hidden = nn.Linear(2 * _WIDTHS[-1], 384)
        self.answers = nn.Linear(384, sum(self._parts))

    def forward(self, images: Tensor) -> SceneJudgeScores:
        """The scores of each image."""
        maps = self.trunk(images)
        seen = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
        concepts, colours, style, count = self.answers(functional.relu(self.hidden(seen))).split(self._parts, dim=1)
        return SceneJudgeScores(concepts=concepts, colours=colours, style=style, count=count)


def _block(before: int, after: int) -> nn.Sequential:
    groups = after // 16
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(groups, after), nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(groups, after), nn.ReLU(),
    )  # fmt: skip


def judge_loss(judge: nn.Module, shown: Tensor, batch: ComposedBatch, concept_count: int) -> Tensor:
    """The judge's error in naming what was composed."""
    verdict = judge(shown)
    things, device = torch.as_tensor(batch.drawings), shown.device
    concepts = torch.zeros(len(things), concept_count + 1)
    concepts.scatter_(1, torch.where(things < 0, concept_count, things // len(STYLES)), 1.0)
    colours = torch.zeros(len(things), len(BACKGROUNDS)).scatter_(
        1, torch.as_tensor(batch.backdrops[:, :2]).long(), 1.0
    )
    named = on(device, concepts[:, :-1])
    errors = functional.binary_cross_entropy_with_logits(verdict.concepts.float(), named, reduction="sum")
    return (
        errors / len(things)
        + functional.binary_cross_entropy_with_logits(verdict.colours.float(), on(device, colours))
        + functional.cross_entropy(verdict.style.float(), on(device, batch.styles))
        + functional.cross_entropy(verdict.count.float(), on(device, (things >= 0).sum(dim=1) - 1))
    )


def load_scene_judge(path: Path = WEIGHTS) -> SceneJudge:
    """The judge that a run returned, ready to use."""
    weights = {name: value.float() for name, value in load_file(path).items()}
    others = len(BACKGROUNDS) + len(STYLES) + MOST_DRAWINGS
    judge = SceneJudge(concept_count=len(weights["answers.bias"]) - others)
    judge.load_state_dict(weights)
    return judge.eval()
