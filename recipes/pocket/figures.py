"""The figures measured last, as a file beside the recipe; the model card is written from it."""

import json
from dataclasses import asdict
from pathlib import Path

from recipes.pocket.evaluation import Score

FIGURES = Path(__file__).with_name("figures.json")


def recorded(path: Path) -> dict[str, Score]:
    """Every score on record: `judge` on held-out renderings, `pocket` on prompts of unseen combinations."""
    if not path.exists():
        return {}
    return {name: Score(**fields) for name, fields in json.loads(path.read_text(encoding="utf-8")).items()}


def record(path: Path, **scores: Score) -> None:
    """Puts scores on record in place of earlier ones of the same name."""
    fields = {name: asdict(score) for name, score in (recorded(path) | scores).items()}
    path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
