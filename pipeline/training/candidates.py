"""The end of a training: candidates compared, written as LoRAs, and shown."""

from typing import Final

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.images.grid import labelled_grid
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.canonical_writer import CanonicalWriter
from pipeline.lora.importing.change import Change
from pipeline.lora.importing.lowering import Lowered, lower
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
        return TrainingCandidate(file=file, step=step, scores=scores, residual=_write(run, file))


def _write(run: Run, file: str) -> float:
    """Write the weights in force as a canonical LoRA; returns the share of their change that it cannot hold."""
    writer = CanonicalWriter(run.model.checkpoint.facts.family)
    whole = lost = 0.0
    for name, change in run.model.weights.changes():
        lowered = _lowered(name, change)
        left = _energy(change.bias)
        if lowered is None:
            left += _energy(change.dense)
            whole += left
        else:
            writer.add(name, lowered.factors)
            left += lowered.residual**2
            whole += lowered.norm**2 + _energy(change.bias)
        lost += left
    writer.save(run.folder / file)
    return float((lost / whole) ** 0.5) if whole else 0.0


def _lowered(name: str, change: Change) -> Lowered | None:
    """A layer's change as factors; None for a norm's, which has none, and where nothing changed."""
    weight = change.dense if change.factors is None else change.factors.weight
    if weight is None or weight.ndim == 1 or not weight.any():
        return None
    kind = LayerKind.LINEAR if weight.ndim == 2 else LayerKind.CONVOLUTION
    layer = BaseLayer(name=name, kind=kind, shape=tuple(weight.shape), bias=change.bias is not None)
    return lower(Change(factors=change.factors, dense=change.dense), layer, lambda: torch.zeros_like(weight))


def _energy(tensor: Tensor | None) -> float:
    return 0.0 if tensor is None else float(tensor.square().sum())


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
