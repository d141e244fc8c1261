"""How far LoRA files are from their trainers' own forwards once imported: the tables of docs/lora-formats.md.

`python -m benchmarks.lora_formats` measures every algorithm on layers as wide as SDXL's, and every layout of the tests'
matrix on tiny random models, and writes both tables.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import weight_change
from tests.pipeline.lora.format.wide import CASES, LAYERS, NAME, error, parts_in, seeded, some_inputs, stored, through
from tests.pipeline.lora.importing.formats import FORMATS, Format
from tests.pipeline.lora.importing.measuring import Measured, measure
from tests.pipeline.lora.importing.oracle import hooked
from tests.pipeline.tiny_models import save_nano, save_sd15

PAGE = Path(__file__).parents[1] / "docs" / "lora-formats.md"
WIDE, LAYOUTS, END = "<!-- algorithms -->\n", "<!-- layouts -->\n", "<!-- end of table -->\n"
HEAD = "| format | layout | layers | error as read | error of the canonical file |\n|---|---|---|---|---|\n"


def main() -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        columns = [*LAYERS, "at 0.7", "on a sibling"]
        head = f"| algorithm | kept as | {' | '.join(columns)} |\n{'|---' * (len(columns) + 2)}|\n"
        _write(WIDE, head, (_wide_row(case, folder) for case in CASES))
        save_nano(folder / "nano")
        save_sd15(folder / "sd15")
        _write(LAYOUTS, HEAD, (_row(wanted, measure(wanted, folder / wanted.model, folder)) for wanted in FORMATS))


def _write(start: str, head: str, rows: Iterable[str]) -> None:
    lines = list(rows)
    before, _, rest = PAGE.read_text().partition(start)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{start}{head}{''.join(lines)}{END}{after}")
    print(f"{len(lines)} rows -> {PAGE}")


def _wide_row(case: str, folder: Path) -> str:
    """The errors of one algorithm, relative to its change: by layer, then at scale 0.7, then over other weights."""
    algorithm, options = CASES[case]
    kept, errors, scaled = "", [], 0.0
    for name in LAYERS:
        layer = seeded(name)
        if "tucker" in case and layer.weight.ndim == 2:
            errors.append("–")
            continue
        inputs = some_inputs(layer)
        tensors, whole = hooked(algorithm, layer, inputs, **options)
        _, part = hooked(algorithm, layer, inputs, scale=0.7, tensors=tensors, **options)
        file = stored(tensors, layer, folder)
        kept = ", ".join(header.kind for header in file.layers[NAME])
        changes = {
            (scale, rule): through(weight_change(parts_in(file), layer.weight, scale, rule), inputs)
            for scale, rule in ((1.0, ScaleRule.LINEAR), (0.7, ScaleRule.LYCORIS))
        }
        errors.append(f"{error(changes[1.0, ScaleRule.LINEAR], whole):.0e}")
        scaled = max(scaled, error(changes[0.7, ScaleRule.LYCORIS], part))
    sibling = "–" if "tucker" in case else f"{_on_a_sibling(case, folder):.0e}"
    print(case, *errors, f"{scaled:.0e}", sibling, flush=True)
    return f"| {case} | {kept} | {' | '.join(errors)} | {scaled:.0e} | {sibling} |\n"


def _on_a_sibling(case: str, folder: Path) -> float:
    """The same file over a second base's weights, a fifth of which are its own."""
    algorithm, options = CASES[case]
    first, second = seeded("linear 1280"), seeded("linear 1280")
    second.weight.add_(0.2 * seeded("linear 1280", seed=7).weight)
    inputs = some_inputs(first)
    tensors, _ = hooked(algorithm, first, inputs, **options)
    _, whole = hooked(algorithm, second, inputs, tensors=tensors, **options)
    parts = parts_in(stored(tensors, first, folder))
    return error(through(weight_change(parts, second.weight, 1.0, ScaleRule.LINEAR), inputs), whole)


def _row(wanted: Format, measured: Measured) -> str:
    report = measured.report
    print(wanted.name, f"{measured.exact:.1e}", f"{measured.stored:.1e}")
    whole = max(measured.stored, measured.vectors)
    return f"| {wanted.name} | {report.layout} | {report.matched} | {measured.exact:.0e} | {whole:.0e} |\n"


if __name__ == "__main__":
    main()
