"""Which published models Limner draws as diffusers does: the tables of docs/models.md.

`python -m benchmarks.models` makes a tiny model of random weights for each published kind, with its true configs, draws
with it beside diffusers' own pipeline, and writes what came of it; and the table of keys as the code has it.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import diffusers
import transformers

from pipeline.models.config_keys import PIPELINE, SCHEDULER, TEXT_ENCODER, UNET, VAE, Effect, Key, Keys
from tests.pipeline.models.variant_outcomes import Outcome, outcome
from tests.pipeline.models.variants import variants

PAGE: Final = Path(__file__).parents[1] / "docs" / "models.md"
_PARTS: Final[Mapping[str, Keys]] = {
    "UNet": UNET,
    "VAE": VAE,
    "text encoders": TEXT_ENCODER,
    "scheduler": SCHEDULER,
    "model_index.json": PIPELINE,
}
_VERDICTS: Final = ("right", "refused", "wrong", "raw error")


def main() -> None:
    """Draw, print and write."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    found = [_outcome(number) for number in range(len(variants()))]
    write("variants", f"{_summary(found)}\n{_rows(found)}")
    write("keys", _keys())
    print(_summary(found))


def write(table: str, text: str) -> None:
    """Put a table where the page has its place.

    Args:
        table: the name of the place.
        text: what stands there from now on.
    """
    start, end = f"<!-- {table}: python -m benchmarks.models -->\n", f"<!-- end of {table} -->\n"
    before, _, rest = PAGE.read_text().partition(start)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{start}{text}{end}{after}")


def _outcome(number: int) -> Outcome:
    with tempfile.TemporaryDirectory() as place:
        return outcome(variants()[number], Path(place))


def _summary(found: list[Outcome]) -> str:
    groups = dict.fromkeys(own.variant.group for own in found)
    counts = {group: Counter(own.verdict for own in found if own.variant.group == group) for group in groups}
    lines = [*counts.items(), ("all", Counter(own.verdict for own in found))]
    head = "| group | models | right | refused for the true reason | wrong | raw errors |\n|---|---|---|---|---|---|\n"
    return head + "".join(
        f"| {group} | {own.total()} | {' | '.join(str(own[kind]) for kind in _VERDICTS)} |\n" for group, own in lines
    )


def _rows(found: list[Outcome]) -> str:
    head = "| model | outcome | sampler | error of the latents, or the sentence |\n|---|---|---|---|\n"
    return head + "".join(
        f"| {own.variant.group}: {own.variant.name} | {own.verdict} | {own.sampler or '–'} | {_said(own)} |\n"
        for own in found
    )


def _said(own: Outcome) -> str:
    return f'"{own.said}"' if own.verdict == "refused" else own.said


def _keys() -> str:
    own = {
        (part, effect): [_shown(name, key) for name, key in keys.items() if key.effect is effect]
        for part, keys in _PARTS.items()
        for effect in Effect
    }
    rows = (f"| {part} | {effect.value} | {', '.join(names)} |\n" for (part, effect), names in own.items() if names)
    return "| config | who sees to it | keys |\n|---|---|---|\n" + "".join(rows)


def _shown(name: str, key: Key) -> str:
    if key.allowed is None:
        return f"`{name}`"
    values = ", ".join(sorted(f"`{value}`" for value in key.allowed if value is not None) or ["none"])
    return f"`{name}` ({values})"


if __name__ == "__main__":
    main()
