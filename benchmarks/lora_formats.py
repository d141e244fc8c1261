"""How far each format of LoRA file is from LyCORIS's own forward once imported: the table of docs/lora-formats.md.

`python -m benchmarks.lora_formats` measures every row of the tests' matrix on tiny random models and writes the table.
"""

import tempfile
from pathlib import Path

from tests.pipeline.lora.importing.formats import FORMATS, Format
from tests.pipeline.lora.importing.measuring import Measured, measure
from tests.pipeline.tiny_models import save_nano, save_sd15

PAGE = Path(__file__).parents[1] / "docs" / "lora-formats.md"
START, END = "<!-- table: python -m benchmarks.lora_formats -->\n", "<!-- end of table -->\n"
HEAD = (
    "| format | layout | layers | stored rank | error of the change | error of the file |\n|---|---|---|---|---|---|\n"
)


def main() -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_nano(folder / "nano")
        save_sd15(folder / "sd15")
        rows = [_row(wanted, measure(wanted, folder / wanted.model, folder)) for wanted in FORMATS]
    before, _, rest = PAGE.read_text().partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}{HEAD}{''.join(rows)}{END}{after}")
    print(f"{len(rows)} formats -> {PAGE}")


def _row(wanted: Format, measured: Measured) -> str:
    report = measured.report
    ranks = "–".join(str(rank) for rank in sorted(set(report.ranks)))
    print(wanted.name, f"{measured.exact:.1e}", f"{measured.stored:.1e}")
    return (
        f"| {wanted.name} | {report.layout} | {report.matched} | {ranks} | "
        f"{measured.exact:.0e} | {measured.stored:.0e} |\n"
    )


if __name__ == "__main__":
    main()
