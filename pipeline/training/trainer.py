"""DreamBooth by plain functions: `train` is a generator of progress that ends in a report.

Ruiz et al., 2023 (arXiv 2208.12242). To stop asking is to cancel; the same order in the same folder goes on
from the last checkpoint, and on a CPU ends in the same weights to the last bit as without the interruption.
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
from pipeline.training.examples import TrainingExample, group, image_examples, masks_of, pick, sizes_of
from pipeline.training.losses import preserving_loss, row_errors
from pipeline.training.model import PromptEmbeddings, TrainedModel, open_model
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest
from pipeline.training.run import Run
from pipeline.training.samples import class_examples, draw

_FIXED_INPUTS: Final = 16
_SKIPS_BORNE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What steps are made from: instances by shape, and the class's images where they preserve it."""

    instances: list[list[TrainingExample]]
    classes: list[TrainingExample]


def train(order: TrainingRequest) -> Generator[TrainingProgress, bool | None, TrainingReport]:
    """Do a training, and yield its progress after each step; sending True ends it early with the best that there is.

    Args:
        order: what to learn, and where its checkpoints are.

    Returns:
        What came of it.

    Raises:
        UserError: it cannot be done, or became unstable at once.
    """  # noqa: DOC402 - pydoclint does not see a yield within an expression, and would forbid the section
    plan = order.plan
    model = open_model(plan, order.device)
    examples = image_examples(model, order.images, plan)
    data = _data(model, plan, examples, order.cache)
    evaluator = Evaluator.of(model, plan, examples)
    order.folder.mkdir(parents=True, exist_ok=True)
    run = Run.open(model, plan, order.folder)
    skipped, enough = 0, False
    while run.step < plan.steps and not enough and not (plan.settles and run.early_stopping.settled):
        began = time.perf_counter()
        sheet = None
        skipped = 0 if _step(run, data) else skipped + 1
        if skipped > _SKIPS_BORNE:
            if run.kept:
                break  # what was kept before is sound
            raise UserError("The training became unstable at once; try again with a lower learning rate.")
        if run.step % plan.look_every == 0:
            run.early_stopping.losses.append(_fixed_loss(run, data))
        if run.step % plan.keep_every == 0 or run.step == plan.steps:
            run.seconds += time.perf_counter() - began
            began = time.perf_counter()
            run.save_checkpoint()
            sheet = _sheet(run)
        run.seconds += time.perf_counter() - began
        progress = TrainingProgress(step=run.step, steps=plan.steps, settling=run.early_stopping.settling, sheet=sheet)
        enough = bool((yield progress))
    return conclude(run, evaluator)


def _data(model: TrainedModel, plan: TrainingConfig, examples: Sequence[TrainingExample], cache: Path) -> TrainingData:
    preserves = plan.preservation is Preservation.CLASS_IMAGES
    return TrainingData(instances=group(examples), classes=class_examples(model, plan, cache) if preserves else [])


def _step(run: Run, data: TrainingData) -> bool:
    """One step of the optimizer; False if it was skipped because its loss is no number."""
    plan = run.plan
    # Of the step's own number, so that a training that goes on draws what an undisturbed one would have.
    generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + run.step)
    for _ in range(plan.accumulation):
        instances = pick(data.instances, plan.batch, generator)
        classes = pick([data.classes], plan.batch, generator) if data.classes else []
        part = loss(run.model, plan, instances, classes, generator) / plan.accumulation
        part.backward()  # type: ignore[no-untyped-call]  # torch's own
    return run.optimizer_step()


def loss(
    model: TrainedModel,
    plan: TrainingConfig,
    instances: Sequence[TrainingExample],
    classes: Sequence[TrainingExample],
    generator: torch.Generator,
) -> Tensor:
    """The loss of one batch: instances and, beside them, what preserves the class.

    Args:
        model: is trained.
        plan: weighs the parts.
        instances: of one shape.
        classes: of one shape; empty where class images are not what preserves.
        generator: on the CPU, of the noise and the timesteps.

    Returns:
        A scalar with gradients.
    """
    errors, steps = _errors(model, plan, instances, generator)
    weights = model.schedule.snr_weights(steps, plan.snr_gamma, floor=plan.velocity_floor)
    if classes:
        errors = torch.cat([errors, _errors(model, plan, classes, generator)[0]])
    if plan.preservation is Preservation.OUTPUT:
        errors = torch.cat([errors, _output_errors(model, plan, instances, generator)])
    return preserving_loss(errors, weights, plan.preservation_weight)


def _errors(
    model: TrainedModel,
    plan: TrainingConfig,
    examples: Sequence[TrainingExample],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Each row's error and the timesteps (rows,) at which it was made."""
    clean = torch.cat([example.latents(generator) for example in examples])
    noise, steps = _noise(clean, plan, generator), _timesteps(model, len(examples), generator)
    words = PromptEmbeddings.stacked([model.words(example.prompt) for example in examples])
    answers = model.answer(model.schedule.add_noise(clean, noise, steps), steps, words, sizes_of(examples, clean))
    return row_errors(answers, model.schedule.target(clean, noise, steps), masks_of(examples)), steps


def _output_errors(
    model: TrainedModel,
    plan: TrainingConfig,
    examples: Sequence[TrainingExample],
    generator: torch.Generator,
) -> Tensor:
    """How far the trained model's answers to the class prompt are from the untrained one's, on the same images."""
    clean = torch.cat([example.latents(generator) for example in examples])
    noise, steps = _noise(clean, plan, generator), _timesteps(model, len(examples), generator)
    noisy, sizes = model.schedule.add_noise(clean, noise, steps), sizes_of(examples, clean)
    plain = model.words(plan.class_prompt).rows(len(examples))
    with torch.no_grad(), model.weights.at(0.0):
        before = model.answer(noisy, steps, plain, sizes)
    return row_errors(model.answer(noisy, steps, plain, sizes), before)


def _noise(clean: Tensor, plan: TrainingConfig, generator: torch.Generator) -> Tensor:
    noise = torch.randn(clean.shape, generator=generator)
    if plan.noise_offset:
        # A brightness of its own for each image, which plain noise never teaches.
        noise = noise + plan.noise_offset * torch.randn(*clean.shape[:2], 1, 1, generator=generator)
    return noise.to(clean.device)


def _timesteps(model: TrainedModel, rows: int, generator: torch.Generator) -> Tensor:
    """Spread evenly over the batch from a random start, which steadies small batches."""
    shares = (torch.arange(rows) / rows + torch.rand(1, generator=generator)) % 1
    return (shares * model.schedule.timesteps).long().to(model.hardware.device)


@torch.no_grad()
def _fixed_loss(run: Run, data: TrainingData) -> float:
    """The instances' loss on noise, timesteps and images that are the same each time."""
    generator = torch.Generator().manual_seed(run.plan.seed)
    examples = pick(data.instances, _FIXED_INPUTS, generator)
    errors, _ = _errors(run.model, run.plan, examples, generator)
    return float(errors.mean())


def _sheet(run: Run) -> bytes:
    """The plot of the loss, and a sample of each template."""
    facts, plan = run.model.checkpoint.facts, run.plan
    prompts = [template.format(plan.instance_prompt) for template in plan.templates[:4]]
    with run.averaged():
        latents = draw(run.model, prompts, range(len(prompts)), (facts.height, facts.width))
    return progress_sheet(run.early_stopping.losses, list(run.model.decode(latents)))
