"""The model card: what `pocket` is, what it was made of, and how good it is by the recorded figures."""

from pathlib import Path

from recipes.pocket.control_evaluation import TOLERANCE, ControlScore
from recipes.pocket.evaluation import Score
from recipes.pocket.figures import FEW, JUDGE, POCKET
from recipes.pocket.sampling import FEW_STEPS, GUIDANCE, STEPS

SAMPLE_SHEET = Path(__file__).parents[2] / "docs" / "images" / "pocket-samples.png"
COLUMNS = 8
SAMPLES = [
    "red fox, glossy style, teal background",
    "red apple, flat style, blue background",
    "penguin, cartoon style, orange background",
    "rocket, flat style, purple background",
    "pizza, glossy style, green background",
    "red car, cartoon style, yellow background",
    "cat, flat style, pink background",
    "robot, glossy style, white background",
    "red fox, flat style, yellow background",
    "red apple, cartoon style, pink background",
    "penguin, glossy style, purple background",
    "rocket, cartoon style, teal background",
    "pizza, flat style, gray background",
    "red car, glossy style, green background",
    "cat, cartoon style, blue background",
    "robot, flat style, red background",
    "red fox, cartoon style, pink background",
    "red apple, glossy style, orange background",
    "penguin, flat style, red background",
    "rocket, glossy style, white background",
    "pizza, cartoon style, blue background",
    "red car, flat style, teal background",
    "cat, glossy style, yellow background",
    "robot, cartoon style, green background",
]

_TEMPLATE = Path(__file__).with_name("card.md")
# What the model is asked for: style, background, concept among the first five.
_TARGETS = {"style": "95 %", "background": "95 %", "concept_top": "80 %", "concept": "-"}
_ASPECTS = {
    "style": "style",
    "background": "background",
    "concept_top": "concept, among the judge's first five",
    "concept": "concept, the judge's first",
}


def write_card(folder: Path, figures: dict[str, Score], control: ControlScore) -> None:
    """Writes the folder's `README.md` from the template."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    for name, value in (_values(folder, figures) | _control_values(control)).items():
        text = text.replace("{{" + name + "}}", value)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _values(folder: Path, figures: dict[str, Score]) -> dict[str, str]:
    return {
        "figures": figure_table(figures[POCKET], figures[FEW], figures[JUDGE]),
        "prompts": str(figures[POCKET].images),
        "renderings": str(figures[JUDGE].images),
        "sizes": size_table(folder),
        "steps": str(STEPS),
        "guidance": str(GUIDANCE),
        "samples": "\n".join(f"{row + 1}. {', '.join(f'`{prompt}`' for prompt in part)}" for row, part in _rows()),
    }


def _control_values(control: ControlScore) -> dict[str, str]:
    return {
        "pairs": str(control.pairs),
        "controlled": f"{control.with_control:.2f}",
        "uncontrolled": f"{control.without:.2f}",
        "tolerance": str(TOLERANCE),
    }


def _rows() -> list[tuple[int, list[str]]]:
    return [(start // COLUMNS, SAMPLES[start : start + COLUMNS]) for start in range(0, len(SAMPLES), COLUMNS)]


def figure_table(pocket: Score, few: Score, judge: Score) -> str:
    """The figures as a Markdown table, the judge's own accuracy beside each."""
    head = f"| right in | `pocket`, {STEPS} steps | {FEW_STEPS} steps | wanted | the judge on real renderings |"
    rows = [head, "|---|---|---|---|---|"]
    for aspect, words in _ASPECTS.items():
        reached, quick, possible = (score.share(getattr(score, aspect)) for score in (pocket, few, judge))
        rows.append(f"| {words} | {reached} | {quick} | {_TARGETS[aspect]} | {possible} |")
    return "\n".join(rows)


def size_table(folder: Path) -> str:
    """The weights' sizes as a Markdown table."""
    rows = ["| part | parameters | MB |", "|---|---|---|"]
    total = 0
    for weights in sorted(folder.rglob("*.safetensors")):
        size = weights.stat().st_size
        total += size
        # Two bytes a number; the file's header disappears in the rounding.
        rows.append(f"| `{weights.parent.name}` | {size / 2e6:.1f} M | {size / 1e6:.1f} |")
    rows.append(f"| together | {total / 2e6:.1f} M | {total / 1e6:.1f} |")
    return "\n".join(rows)
