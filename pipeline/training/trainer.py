"""DreamBooth by plain functions: `train` is a generator of progress that ends in a report.

Ruiz et al., 2023 (arXiv 2208.12242). Whoever stops asking has cancelled it; the same order in the same folder goes on
from the last checkpoint, and on a CPU ends in the same weights to the last bit as if nobody had interrupted it.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.training.candidates import conclude
from pipeline.training.config import Preservation, TrainingConfig
from pipeline.training.contact_sheet import progress_sheet
from pipeline.training.evaluation import Evaluator
from pipeline.training.examples import TrainingExample, group, image_lessons, masks_of, pick, sizes_of
from pipeline.training.losses import preserving_loss, row_errors
from pipeline.training.model import PromptEmbeddings, TrainedModel, open_student
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest
from pipeline.training.run import Run
from pipeline.training.samples import class_lessons, draw

_FIXED_INPUTS: Final = 16
_SKIPS_BORNE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What steps are made from: instances by shape, and the class's pictures where they preserve it."""

    instances: list[list[TrainingExample]]
    classes: list[TrainingExample]


def train(order: TrainingRequest) -> Generator[TrainingProgress, bool | None, TrainingReport]:
    """Do `order`; sending True ends it early with the best that there is. Raises UserError where it cannot be done."""
    plan = order.plan
    student = open_student(plan, order.device)
    lessons = image_lessons(student, order.images, plan)
    material = _material(student, plan, lessons, order.cache)
    examiner = Evaluator.of(student, plan, lessons)
    order.folder.mkdir(parents=True, exist_ok=True)
    run = Run.open(student, plan, order.folder)
    skipped, enough = 0, False
    while run.step < plan.steps and not enough and not (plan.settles and run.settling.settled):
        began = time.perf_counter()
        sheet = None
        skipped = 0 if _step(run, material) else skipped + 1
        if skipped > _SKIPS_BORNE:
            if run.kept:
                break  # what was kept before is sound
            raise UserError("The training became unstable at once; try again with a lower learning rate.")
        if run.step % plan.look_every == 0:
            run.settling.losses.append(_fixed_loss(run, material))
        if run.step % plan.keep_every == 0 or run.step == plan.steps:
            run.seconds += time.perf_counter() - began
            began = time.perf_counter()
            run.keep()
            sheet = _sheet(run)
        run.seconds += time.perf_counter() - began
        told = TrainingProgress(step=run.step, steps=plan.steps, settling=run.settling.settling, sheet=sheet)
        enough = bool((yield told))
    return conclude(run, examiner)


def _material(
    student: TrainedModel, plan: TrainingConfig, lessons: Sequence[TrainingExample], cache: Path
) -> TrainingData:
    preserves = plan.preservation is Preservation.CLASS_IMAGES
    return TrainingData(instances=group(lessons), classes=class_lessons(student, plan, cache) if preserves else [])


def _step(run: Run, material: TrainingData) -> bool:
    """One step of the optimizer; False if it was skipped because its loss is no number."""
    plan = run.plan
    # Of the step's own number, so that a training that goes on draws what an undisturbed one would have.
    generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + run.step)
    for _ in range(plan.accumulation):
        instances = pick(material.instances, plan.batch, generator)
        classes = pick([material.classes], plan.batch, generator) if material.classes else []
        part = loss(run.student, plan, instances, classes, generator) / plan.accumulation
        part.backward()  # type: ignore[no-untyped-call]  # torch's own
    return run.learn()


def loss(
    student: TrainedModel,
    plan: TrainingConfig,
    instances: Sequence[TrainingExample],
    classes: Sequence[TrainingExample],
    generator: torch.Generator,
) -> Tensor:
    """The loss of one batch, drawn from `generator`: instances and, beside them, what preserves the class."""
    errors, steps = _errors(student, plan, instances, generator)
    weights = student.schedule.snr_weights(steps, plan.snr_gamma, floor=plan.velocity_floor)
    if classes:
        errors = torch.cat([errors, _errors(student, plan, classes, generator)[0]])
    if plan.preservation is Preservation.OUTPUT:
        errors = torch.cat([errors, _output_errors(student, plan, instances, generator)])
    return preserving_loss(errors, weights, plan.preservation_weight)


def _errors(
    student: TrainedModel,
    plan: TrainingConfig,
    lessons: Sequence[TrainingExample],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Each row's error and the timesteps (rows,) at which it was made."""
    clean = torch.cat([lesson.latents(generator) for lesson in lessons])
    noise, steps = _noise(clean, plan, generator), _timesteps(student, len(lessons), generator)
    words = PromptEmbeddings.stacked([student.words(lesson.prompt) for lesson in lessons])
    answers = student.answer(student.schedule.add_noise(clean, noise, steps), steps, words, sizes_of(lessons, clean))
    return row_errors(answers, student.schedule.target(clean, noise, steps), masks_of(lessons)), steps


def _output_errors(
    student: TrainedModel,
    plan: TrainingConfig,
    lessons: Sequence[TrainingExample],
    generator: torch.Generator,
) -> Tensor:
    """How far the trained model's answers to the class prompt are from the untrained one's, on the same pictures."""
    clean = torch.cat([lesson.latents(generator) for lesson in lessons])
    noise, steps = _noise(clean, plan, generator), _timesteps(student, len(lessons), generator)
    noisy, sizes = student.schedule.add_noise(clean, noise, steps), sizes_of(lessons, clean)
    plain = student.words(plan.class_prompt).rows(len(lessons))
    with torch.no_grad(), student.weights.at(0.0):
        before = student.answer(noisy, steps, plain, sizes)
    return row_errors(student.answer(noisy, steps, plain, sizes), before)


def _noise(clean: Tensor, plan: TrainingConfig, generator: torch.Generator) -> Tensor:
    noise = torch.randn(clean.shape, generator=generator)
    if plan.noise_offset:
        # A brightness of its own for each picture, which plain noise never teaches.
        noise = noise + plan.noise_offset * torch.randn(*clean.shape[:2], 1, 1, generator=generator)
    return noise.to(clean.device)


def _timesteps(student: TrainedModel, rows: int, generator: torch.Generator) -> Tensor:
    """Spread evenly over the batch from a random start, which steadies small batches."""
    shares = (torch.arange(rows) / rows + torch.rand(1, generator=generator)) % 1
    return (shares * student.schedule.timesteps).long().to(student.hardware.device)


@torch.no_grad()
def _fixed_loss(run: Run, material: TrainingData) -> float:
    """The instances' loss on noise, timesteps and pictures that are the same each time."""
    generator = torch.Generator().manual_seed(run.plan.seed)
    lessons = pick(material.instances, _FIXED_INPUTS, generator)
    errors, _ = _errors(run.student, run.plan, lessons, generator)
    return float(errors.mean())


def _sheet(run: Run) -> bytes:
    """The plot of the loss, and a sample of each template."""
    facts, plan = run.student.checkpoint.facts, run.plan
    prompts = [template.format(plan.instance_prompt) for template in plan.templates[:4]]
    with run.averaged():
        latents = draw(run.student, prompts, range(len(prompts)), (facts.height, facts.width))
    return progress_sheet(run.settling.losses, list(run.student.decode(latents)))
