"""The judge's scores of images of combinations that training never saw, and of real renderings."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recipes.pocket.captions import full_caption
from recipes.pocket.judge import JudgeScores
from recipes.pocket.scenes import Concept, Scene, is_held_out, scenes

PROMPTS = 500
BATCH = 20
TOP = 5
SEED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many images were judged, and how many of them right in each respect."""

    images: int = 0
    style: int = 0
    background: int = 0
    concept: int = 0
    concept_top: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            images=self.images + other.images,
            style=self.style + other.style,
            background=self.background + other.background,
            concept=self.concept + other.concept,
            concept_top=self.concept_top + other.concept_top,
        )

    def share(self, right: int) -> str:
        """A count as a percentage of the images."""
        return f"{100 * right / self.images:.1f} %"


def score(verdict: JudgeScores, asked: list[Scene]) -> Score:
    """Compares the judge's scores with what was asked for."""
    concept = torch.tensor([scene.concept for scene in asked])
    style = torch.tensor([scene.style for scene in asked])
    background = torch.tensor([scene.background for scene in asked])
    top = verdict.concept.topk(min(TOP, verdict.concept.shape[1])).indices
    return Score(
        images=len(asked),
        style=int((verdict.style.argmax(dim=1) == style).sum()),
        background=int((verdict.background.argmax(dim=1) == background).sum()),
        concept=int((top[:, 0] == concept).sum()),
        concept_top=int((top == concept[:, None]).any(dim=1).sum()),
    )


def held_out_scenes(concept_count: int) -> list[Scene]:
    """The combinations that training never sees."""
    return [scene for scene in scenes(concept_count) if is_held_out(scene)]


def asked_scenes(concept_count: int, count: int = PROMPTS) -> list[Scene]:
    """The combinations to evaluate: always the same random choice."""
    unseen = held_out_scenes(concept_count)
    return random.Random(SEED).sample(unseen, min(count, len(unseen)))  # noqa: S311 (chance, not secrecy)


@torch.no_grad()
def judge_images(
    judge: Callable[[Tensor], JudgeScores], images: Callable[[list[Scene]], Tensor], asked: list[Scene]
) -> Score:
    """The score of images made for the scenes asked for."""
    total = Score()
    for batch in batches(asked):
        total += score(judge(images(batch)), batch)
    return total


def batches(asked: list[Scene]) -> Iterator[list[Scene]]:
    """The scenes, a few at a time."""
    for start in range(0, len(asked), BATCH):
        yield asked[start : start + BATCH]


def prompts(asked: list[Scene], concepts: list[Concept]) -> list[str]:
    """The full caption of each scene."""
    return [full_caption(scene, concepts[scene.concept]) for scene in asked]
