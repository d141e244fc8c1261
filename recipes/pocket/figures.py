"""The latest figures, in a file beside the recipe from which the model card is written."""

import json
from dataclasses import asdict
from pathlib import Path

from recipes.pocket.evaluation import Score

JUDGE, POCKET, FEW = "judge", "pocket", "few"
FIGURES = Path(__file__).with_name("figures.json")


def recorded(path: Path) -> dict[str, Score]:
    """Every score: JUDGE on held-out renderings, POCKET on prompts of unseen combinations, FEW in few steps."""
    if not path.exists():
        return {}
    return {name: Score(**fields) for name, fields in json.loads(path.read_text(encoding="utf-8")).items()}


def record(path: Path, name: str, score: Score) -> None:
    """Records a score in place of an earlier one of the same name."""
    fields = {name: asdict(score) for name, score in (recorded(path) | {name: score}).items()}
    path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
