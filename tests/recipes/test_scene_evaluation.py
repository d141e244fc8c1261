"""The arithmetic behind the figures of composed scenes."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from recipes.pocket.aspects import PRESETS
from recipes.pocket.composition import Backdrop, Composition, Drawing, is_unseen
from recipes.pocket.drawings import SIDE, as_drawings
from recipes.pocket.export import SHIPPED
from recipes.pocket.scene_evaluation import SceneEvaluation, SceneScore, asked_scenes, score
from recipes.pocket.scene_judge import SceneJudge, SceneJudgeScores
from recipes.pocket.scenes import BACKGROUNDS, STYLES, concepts

CONCEPTS = 12


def scene(*things: int, back: tuple[int, int] = (0, 1)) -> Composition:
    return Composition(
        width=128,
        height=128,
        style=1,
        backdrop=Backdrop(first=back[0], second=back[1]),
        drawings=tuple(Drawing(concept=thing, x=30, y=30, side=30) for thing in things),
    )


def verdict(concepts: list[int], colours: list[int], style: int, count: int) -> SceneJudgeScores:
    """A row that is surest of the first in each list."""

    def scores(length: int, liked: list[int]) -> Tensor:
        row = torch.zeros(1, length)
        row[0, liked] = torch.arange(len(liked), 0, -1.0)
        return row

    return SceneJudgeScores(
        concepts=scores(CONCEPTS, concepts),
        colours=scores(len(BACKGROUNDS), colours),
        style=scores(len(STYLES), [style]),
        count=scores(4, [count - 1]),
    )


@pytest.mark.parametrize(
    ("seen", "right"),
    [
        (verdict([3, 1, 2, 4, 7], [1, 0], 1, 3), SceneScore(images=1, style=1, background=1, concepts=1, count=1)),
        (verdict([3, 1, 2, 4, 5, 7], [1, 0], 1, 3), SceneScore(images=1, style=1, background=1, count=1)),
        (verdict([3, 7], [1, 2], 1, 3), SceneScore(images=1, style=1, concepts=1, count=1)),
        (verdict([3, 7], [1, 0], 2, 2), SceneScore(images=1, background=1, concepts=1)),
    ],
    ids=["all", "a concept that comes sixth", "another colour", "style and count"],
)
def test_score_asks_for_every_concept_both_colours_style_and_number(seen: SceneJudgeScores, right: SceneScore) -> None:
    """Two of the third thing and one of the seventh."""
    assert score(seen, [scene(3, 3, 7)]) == right


@pytest.mark.parametrize("size", PRESETS.values(), ids=PRESETS)
def test_asked_scenes_are_unseen_and_always_the_same(size: tuple[int, int]) -> None:
    """At every preset."""
    asked = asked_scenes(size, 331)

    assert len(asked) == 60
    assert asked == asked_scenes(size, 331)
    assert all(is_unseen([group[0].concept for group in one.groups], one.style, one.backdrop) for one in asked)
    assert {len(one.drawings) for one in asked} == {1, 2, 3, 4}


def test_same_images_show_no_variety_and_kept_figures_are_not_measured_again(tmp_path: Path) -> None:
    """A model that ignores its seed differs by nothing, while real compositions do; its thing is always on the left."""
    torch.manual_seed(0)

    def render(prompts: list[str], _: int, size: tuple[int, int]) -> Tensor:
        shown = torch.ones(len(prompts), 3, size[1], size[0]) * 2
        shown[:, :, :, size[0] // 2 :] = 0.96
        return shown

    tiles = torch.full((4 * len(STYLES), 4, SIDE, SIDE), 255, dtype=torch.uint8)
    measured = SceneEvaluation(
        render=render,
        judge=SceneJudge(4),
        drawings=as_drawings(tiles),
        tokenizer=CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer"),
        concepts=concepts()[:4],
        figures=tmp_path / "figures.json",
    )

    variety = measured.variety()
    names = [f"{kind} {aspect}" for kind in ("real", "pocket") for aspect in PRESETS]
    kept: dict[str, dict[str, float]] = {name: {} for name in [*names, "places"]}
    (tmp_path / "figures.json").write_text(json.dumps(kept))
    measured.run()

    assert variety["made"] == 0
    assert variety["real"] > 5
    assert json.loads((tmp_path / "figures.json").read_text()) == kept | {"variety": variety}
