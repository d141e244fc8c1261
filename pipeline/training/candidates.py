"""The end of a training: candidates compared, written as LoRAs, and shown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from torch import Tensor

from pipeline.errors import UserError
from pipeline.images.grid import labelled_grid
from pipeline.lora.format.parts import Difference, LowRank, Part
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.importing.changes import LayerChange
from pipeline.training.contact_sheet import image
from pipeline.training.evaluation import Evaluator
from pipeline.training.report import TrainingCandidate, TrainingReport
from pipeline.training.run import Run
from pipeline.training.samples import draw

SCALES: Final = (0.6, 0.8, 1.0)
_SHEET: Final = "sheet.png"


def conclude(run: Run, evaluator: Evaluator) -> TrainingReport:
    """End a training: compare what was kept, write it as LoRAs, and show the best.

    Args:
        run: its last step is kept here where it was not.
        evaluator: scores each candidate.

    Returns:
        The report; its files lie in the run's folder.

    Raises:
        UserError: there is nothing sound.
    """
    if run.step not in run.kept:
        run.save_checkpoint()
    judged = [_candidate(run, evaluator, step) for step in run.kept]
    candidates = tuple(one for one in judged if one is not None)
    if not candidates:
        raise UserError("This training found nothing that can be used; try again with more or clearer pictures.")
    # Among equals the one that has learnt longest.
    chosen = max(reversed(candidates), key=lambda one: one.scores.overall)
    _draw_sheet(run, chosen.step)
    return TrainingReport(
        candidates=candidates,
        chosen=candidates.index(chosen),
        steps=run.step,
        settled=run.early_stopping.settled,
        seconds=run.seconds,
        sheet=_SHEET,
    )


def _candidate(run: Run, evaluator: Evaluator, step: int) -> TrainingCandidate | None:
    file = f"{step}.safetensors"
    with run.candidate(step):
        if (scores := evaluator.evaluate()) is None:
            return None
        writer = CanonicalWriter(run.model.checkpoint.facts.family)
        save_changes(run.model.weights.changes(), writer, run.folder / file)
        return TrainingCandidate(file=file, step=step, scores=scores)


def save_changes(changes: Iterable[tuple[str, LayerChange]], writer: CanonicalWriter, path: Path) -> None:
    """Write what was learnt as a canonical LoRA, all of it.

    Args:
        changes: of layers by their canonical names.
        writer: of the model's family, empty.
        path: of the file.
    """
    for name, change in changes:
        for part in change.parts:
            if _learnt(part):
                writer.add(name, part)
        for side, vector in (("gain", change.gain), ("bias", change.bias)):
            if vector is not None and vector.any():
                writer.add_vector(f"{name}.{side}", vector)
    writer.save(path)


def _learnt(part: Part) -> bool:
    """Whether a part changes anything; halves begin with one that is zero."""
    match part:
        case Part(change=LowRank(up=up), magnitude=None):
            return bool(up.any())
        case Part(change=Difference(values=values)):
            return bool(values.any())
        case _:
            return True


def _draw_sheet(run: Run, step: int) -> None:
    """Samples of the chosen weights: a row for each template, a column for each LoRA scale."""
    facts, plan = run.model.checkpoint.facts, run.plan
    prompts = [template.format(plan.instance_prompt) for template in plan.templates]
    columns: list[list[Tensor]] = []
    with run.candidate(step):
        for scale in SCALES:
            with run.model.weights.at(scale):
                latents = draw(run.model, prompts, range(len(prompts)), (facts.height, facts.width))
            columns.append(list(run.model.decode(latents)))
    rows = [image(sample) for row in zip(*columns, strict=True) for sample in row]
    names = [template.format("…") if template != "{}" else "itself" for template in plan.templates]
    labelled_grid(rows, [f"scale {scale:g}" for scale in SCALES], names).save(run.folder / _SHEET)
