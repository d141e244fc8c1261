"""The arithmetic behind the published figures."""

from pathlib import Path

import torch
from torch.nn import functional

from recipes.pocket.card import figure_table
from recipes.pocket.evaluation import Score, asked_scenes, batches, judge_images, score
from recipes.pocket.figures import record, recorded
from recipes.pocket.judge import JudgeScores
from recipes.pocket.scenes import Scene, is_held_out

ASKED = [Scene(concept=0, style=0, background=1), Scene(concept=7, style=2, background=4)]


def verdict(concepts: torch.Tensor, styles: list[int], backgrounds: list[int]) -> JudgeScores:
    return JudgeScores(
        concept=concepts,
        style=functional.one_hot(torch.tensor(styles), 3).float(),
        background=functional.one_hot(torch.tensor(backgrounds), 10).float(),
        embedding=torch.zeros(len(styles), 1),
    )


def test_score_counts_first_and_top_five_apart() -> None:
    """The second image's concept comes third: right among five, not as the first."""
    concepts = torch.zeros(2, 10)
    concepts[0, 0] = 1
    concepts[1, [3, 4, 7]] = torch.tensor([3.0, 2.0, 1.0])

    result = score(verdict(concepts, [0, 1], [1, 4]), ASKED)

    assert result == Score(images=2, style=1, background=2, concept=1, concept_top=2)


def test_scores_add_up_over_batches() -> None:
    """Every image is judged once, whatever the batches."""
    asked = ASKED * 15
    known = torch.zeros(30, 10)

    total = judge_images(
        lambda shown: verdict(known[: len(shown)], [0] * len(shown), [1] * len(shown)),
        lambda batch: torch.zeros(len(batch), 3, 8, 8),
        asked,
    )

    assert total.images == len(asked) == sum(len(batch) for batch in batches(asked))
    assert (total.style, total.background) == (15, 15)


def test_asked_scenes_are_held_out_distinct_and_always_the_same() -> None:
    """The figures are of combinations that training never saw."""
    asked = asked_scenes(331)

    assert len(asked) == len(set(asked)) == 500
    assert all(is_held_out(scene) for scene in asked)
    assert asked == asked_scenes(331)


def test_records_replace_one_another_by_name(tmp_path: Path) -> None:
    """A new measurement takes the old one's place and leaves the others."""
    path = tmp_path / "figures.json"
    record(path, "judge", Score(images=4, style=4))
    record(path, "pocket", Score(images=2))
    record(path, "pocket", Score(images=8, style=6))

    assert recorded(path) == {"judge": Score(images=4, style=4), "pocket": Score(images=8, style=6)}


def test_figures_show_the_judges_own_accuracy_beside_the_models() -> None:
    """A reader sees what the judge itself can be trusted with."""
    table = figure_table(Score(images=8, style=6), Score(images=8, style=4), Score(images=4, style=4))

    assert "| style | 75.0 % | 50.0 % | 95 % | 100.0 % |" in table
