"""The scene judge's scores of unseen combinations at every preset, how seeds differ, and what words do."""

import json
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPTokenizer

from recipes.pocket.aspects import PRESETS
from recipes.pocket.backgrounds import BACKGROUND_COLOURS
from recipes.pocket.canvas import paint
from recipes.pocket.composed_batch import Words, as_batch
from recipes.pocket.composition import Backdrop, Composition, Drawing, composition
from recipes.pocket.composition_captions import full_caption
from recipes.pocket.drawings import Drawings
from recipes.pocket.scene_judge import SceneJudge, SceneJudgeScores
from recipes.pocket.scenes import BACKGROUNDS, STYLES, Concept

log = logging.getLogger(__name__)

FIGURES = Path(__file__).with_name("scene_figures.json")
PROMPTS = 60
"""A preset."""

TOP = 5
SEEDS = 4
VARIED = 12
BATCH = 20
SIDES = ("on the left", "on the right", "at the top", "at the bottom")

Render = Callable[[list[str], int, tuple[int, int]], Tensor]
"""Images of prompts from -1 to 1, with seeds that count up from the one given, at a width and height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneScore:
    """How many images were judged, and how many were right in each respect."""

    images: int = 0
    style: int = 0
    background: int = 0
    concepts: int = 0
    count: int = 0

    def __add__(self, other: "SceneScore") -> "SceneScore":
        mine, others = asdict(self), asdict(other)
        return SceneScore(**{name: mine[name] + others[name] for name in mine})


def score(verdict: SceneJudgeScores, asked: list[Composition]) -> SceneScore:
    """Compares the judge's scores with what was asked for: every concept among the first, each colour and no other."""
    concepts = verdict.concepts.topk(min(TOP, verdict.concepts.shape[1])).indices.tolist()
    style, count = verdict.style.argmax(dim=1).tolist(), verdict.count.argmax(dim=1).tolist()
    right = {"style": 0, "background": 0, "concepts": 0, "count": 0}
    for row, scene in enumerate(asked):
        colours = {scene.backdrop.first, scene.backdrop.second}
        seen = set(verdict.colours[row].topk(len(colours)).indices.tolist())
        right["style"] += style[row] == scene.style
        right["background"] += seen == colours
        right["concepts"] += {group[0].concept for group in scene.groups} <= set(concepts[row])
        right["count"] += count[row] == len(scene.drawings) - 1
    return SceneScore(images=len(asked), **right)


def asked_scenes(size: tuple[int, int], concept_count: int, count: int = PROMPTS) -> list[Composition]:
    """Scenes that training never saw, always the same, with nothing that a caption does not say: uncropped, sharp."""
    rng = random.Random(f"{size}")  # noqa: S311 (chance, not secrecy)
    drawn = (composition(size, concept_count, rng, seen=False) for _ in range(100 * count))
    whole = [scene for scene in drawn if scene.crop == (0, 0) and scene.coarseness == 1]
    return whole[:count]


@torch.no_grad()
def judge_scenes(
    judge: SceneJudge, shown: Callable[[list[Composition]], Tensor], asked: list[Composition]
) -> SceneScore:
    """The score of images made for the scenes."""
    total = SceneScore()
    for batch in _parts(asked):
        total += score(judge(shown(batch)), batch)
    return total


def _parts(asked: list[Composition]) -> Iterator[list[Composition]]:
    for start in range(0, len(asked), BATCH):
        yield asked[start : start + BATCH]


@dataclass(frozen=True, kw_only=True)
class SceneEvaluation:
    """What is measured, with what, and where the figures are stored; a stored measurement is not repeated."""

    render: Render
    judge: SceneJudge
    drawings: Drawings
    tokenizer: CLIPTokenizer
    concepts: list[Concept]
    figures: Path = FIGURES

    def run(self) -> None:
        """Measures every preset, then how seeds differ and how words for places act."""
        for aspect, size in PRESETS.items():
            asked = asked_scenes(size, len(self.concepts))
            self._keep(f"real {aspect}", lambda asked=asked: asdict(judge_scenes(self.judge, self.real, asked)))  # type: ignore[misc]
            self._keep(f"pocket {aspect}", lambda asked=asked: asdict(judge_scenes(self.judge, self.made, asked)))  # type: ignore[misc]
        self._keep("variety", self.variety)
        self._keep("places", self.places)

    def _keep(self, name: str, measure: Callable[[], dict[str, float]]) -> None:
        kept = json.loads(self.figures.read_text(encoding="utf-8")) if self.figures.exists() else {}
        if name not in kept:
            kept[name] = measure()
            self.figures.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        log.info("%s: %s", name, kept[name])

    def real(self, scenes: list[Composition]) -> Tensor:
        """The scenes as they are composed."""
        return paint(self.drawings, as_batch(scenes, [None] * len(scenes), Words(self.tokenizer)))

    def made(self, scenes: list[Composition]) -> Tensor:
        """The scenes as the model makes them from their captions."""
        size = scenes[0].width, scenes[0].height
        return self.render([full_caption(scene, self.concepts) for scene in scenes], 0, size)

    def variety(self) -> dict[str, float]:
        """How far seeds of one prompt differ, and how far real compositions of the same thing do, of 255."""
        rng = random.Random(1)  # noqa: S311 (chance, not secrecy)
        made, real = [], []
        for _ in range(VARIED):
            scene = _single(rng, len(self.concepts))
            made.append(_difference(self.render([full_caption(scene, self.concepts)] * SEEDS, 0, (128, 128))))
            real.append(_difference(self.real([_moved(scene, rng, len(self.concepts)) for _ in range(SEEDS)])))
        return {"made": sum(made) / VARIED, "real": sum(real) / VARIED}

    def places(self) -> dict[str, float]:
        """Of images asked for with a thing on one side, the share that has it there."""
        rng = random.Random(2)  # noqa: S311 (chance, not secrecy)
        right = {}
        for side in SIDES:
            scenes = [_single(rng, len(self.concepts)) for _ in range(VARIED)]
            captions = [full_caption(scene, self.concepts).replace(",", f" {side},", 1) for scene in scenes]
            shown = self.render(captions, 0, (128, 128))
            lies = [_lies(one, scene, side) for one, scene in zip(shown, scenes, strict=True)]
            right[side] = sum(lies) / len(lies)
        return right


def _single(rng: random.Random, concept_count: int) -> Composition:
    colour = rng.randrange(len(BACKGROUNDS))
    thing = Drawing(concept=rng.randrange(concept_count), x=64, y=64, side=100)
    return Composition(
        width=128,
        height=128,
        style=rng.randrange(len(STYLES)),
        backdrop=Backdrop(first=colour, second=colour),
        drawings=(thing,),
    )


def _moved(scene: Composition, rng: random.Random, concept_count: int) -> Composition:
    """The same thing, style and colour in a place of its own."""
    while True:
        other = composition((scene.width, scene.height), concept_count, rng)
        if len(other.drawings) == 1:
            placed = replace(other.drawings[0], concept=scene.drawings[0].concept)
            return replace(scene, drawings=(placed,))


def _difference(shown: Tensor) -> float:
    """The mean difference of every two images, of 255."""
    pairs = [(one - other).abs().mean() for number, one in enumerate(shown) for other in shown[:number]]
    return float(sum(pairs) / len(pairs) * 127.5)


def _lies(shown: Tensor, scene: Composition, side: str) -> bool:
    """Whether the pixels that differ from the background lie on that side of the middle."""
    colour = BACKGROUND_COLOURS[scene.backdrop.first] * 2 - 1
    other = ((shown - colour[:, None, None]).abs().amax(dim=0) > 0.35).float()
    rows, columns = (torch.linspace(-1, 1, length) for length in other.shape)
    across, down = float((other.sum(dim=0) * columns).sum()), float((other.sum(dim=1) * rows).sum())
    return {"left": across < 0, "right": across > 0, "top": down < 0, "bottom": down > 0}[side.rsplit(" ", 1)[1]]
