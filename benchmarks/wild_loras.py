"""What becomes of LoRA files as they are found: the wide table of docs/lora-formats.md.

`python -m benchmarks.wild_loras` writes each layout of the tests as a small file, imports it for a tiny SDXL, compares
what it changes with a reference that is computed apart, and writes the table.
"""

import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.lora_formats import PAGE
from tests.pipeline.lora.importing.wild_outcomes import Outcome, outcomes
from tests.pipeline.tiny_models import save_nano

START, END = "<!-- table: python -m benchmarks.wild_loras -->\n", "<!-- end of the wide table -->\n"


def main() -> None:
    """Import, print and write."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_nano(folder / "nano")
        found = outcomes(folder / "nano", folder)
    before, _, rest = PAGE.read_text().partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}{_summary(found)}\n{_rows(found)}{END}{after}")
    print(_summary(found))


def _summary(found: list[Outcome]) -> str:
    groups = dict.fromkeys(outcome.layout.group for outcome in found)
    kinds = ("right", "refused", "wrong", "raw error")
    head = "| group | layouts | right | refused for the true reason | wrong | raw errors |\n|---|---|---|---|---|---|\n"
    counts = {group: Counter(own.verdict for own in found if own.layout.group == group) for group in groups}
    total = Counter(own.verdict for own in found)
    lines = [*counts.items(), ("all", total)]
    return head + "".join(
        f"| {group} | {own.total()} | {' | '.join(str(own[kind]) for kind in kinds)} |\n" for group, own in lines
    )


def _rows(found: list[Outcome]) -> str:
    rows = (f"| {own.layout.name.replace('|', '/')} | {own.verdict} | {own.said} |\n" for own in found)
    return "| layout | outcome | error of the change, or the sentence |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    main()
