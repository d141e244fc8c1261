"""What a worker does for /train: look at the images, and later learn from them in a process of its own."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from handlers.context.lora_quota import LoraQuota
from handlers.context.training_hours import TrainingHours
from handlers.jobs.preparation import Progress, ResultImage
from handlers.messages.job_status import seconds_words
from handlers.training.checkpoints import Pick, write_picks
from handlers.training.request import TRAINING, ConceptKind, TrainOrder
from pipeline.errors import UserError
from pipeline.families.registry import FAMILIES
from pipeline.files import write_atomically
from pipeline.models.metadata import ModelFacts
from pipeline.models.source import ModelSource
from pipeline.training.config import Preservation, TrainingConfig
from pipeline.training.dataset_process import ExamineImages, HandedPath, ImageExaminer, check_enough
from pipeline.training.messages import TrainingPace
from pipeline.training.rare_tokens import rare_tokens
from pipeline.training.report import TrainingCandidate, TrainingProgress, TrainingReport
from pipeline.training.request import TrainingImage, TrainingRequest
from storage.blobs import BlobStore
from storage.errors import disk_error
from storage.library.loras import NewLora
from storage.library.training_folders import CLASS_IMAGES
from storage.library.training_uploads import TrainingUploads
from storage.queue.jobs import Job

_SMALL: Final = 256
_SHEET: Final = "sheet.png"
_WORD: Final = "word.txt"
_PICKS: Final = "picks.json"
_LOOK_SECONDS: Final = 1.0


Train = Callable[
    [TrainingRequest, Callable[[TrainingProgress], None], Callable[[], TrainingPace]], Awaitable[TrainingReport]
]
"""Does a training: tells how far it is, and asks for the pace; raises UserError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainableModel:
    """A model that trainings may begin with."""

    facts: ModelFacts
    source: ModelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCheck:
    """The preparation of JobKind.CHECK_IMAGES: a sheet of the images as they would be used, noting which are."""

    blobs: BlobStore
    models: Sequence[TrainableModel]
    examiner: ImageExaminer = field(default_factory=ImageExaminer)

    async def __call__(self, job: Job, progress: Progress) -> ResultImage:  # noqa: ARG002  it is done at once
        """The sheet; raises UserError where too few can be used."""
        order = TRAINING.read(job.payload)
        facts = _model(order, self.models).facts
        with TemporaryDirectory() as folder:
            sheet = Path(folder, _SHEET)
            examine = await _examination(order, facts, self.blobs, Path(folder))
            images = await self.examiner.examine(replace(examine, sheet=sheet), job.share)
            check_enough(images)
            used = [str(number) for number, image in enumerate(images, start=1) if image.is_used]
            return ResultImage(png=await asyncio.to_thread(sheet.read_bytes), note=" ".join(used))


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The preparation of JobKind.TRAIN; `loras` holds canonical files, `work` a folder for each training under way.

    While `busy` says that devices have images to make, the training takes `share` of the time; outside its `hours` it
    does not begin, and waits where it is.
    """

    room: LoraQuota
    blobs: BlobStore
    handed: TrainingUploads
    loras: Path
    work: Path
    models: Sequence[TrainableModel]
    train: Train
    busy: Callable[[], bool]
    device: str = "auto"
    share: float = 0.5
    hours: TrainingHours = field(default_factory=TrainingHours)
    examiner: ImageExaminer = field(default_factory=ImageExaminer)

    async def __call__(self, job: Job, progress: Progress) -> ResultImage:
        """Learn what the job orders, unless an earlier attempt did; returns the sheet of samples, and what it cost."""
        order = TRAINING.read(job.payload)
        folder = self.work / order.key
        seconds = 0.0
        if await self.room.loras.with_key(job.guild_id, order.key) is None:
            await self.room.check(job.guild_id)
            if not order.retrain:
                await self.room.check_name(job.guild_id, job.member_id, order.name, private=order.private)
            while not self.hours.are_now:  # noqa: ASYNC110  only the clock can end it
                await asyncio.sleep(_LOOK_SECONDS)
            seconds = await self._learn(job, order, folder, progress)
        png = await asyncio.to_thread((folder / _SHEET).read_bytes)
        note = await asyncio.to_thread((folder / _PICKS).read_text)
        made = ResultImage(png=png, device_seconds=seconds, note=note)
        await self.handed.forget(job.guild_id, {file.blob for file in order.files})
        return made

    async def _learn(self, job: Job, order: TrainOrder, folder: Path, progress: Progress) -> float:
        model = _model(order, self.models)
        images = folder / "images"
        await asyncio.to_thread(_make, images)
        examine = await _examination(order, model.facts, self.blobs, images)
        found = await self.examiner.examine(examine, job.share)
        check_enough(found)
        word = await self._word(job, model, folder)
        plan = plan_of(order, model, word, seed=job.id)
        training = TrainingRequest(
            plan=plan,
            images=tuple(TrainingImage(path=image.path) for image in found if image.is_used),
            folder=folder / "run",
            cache=self.work / CLASS_IMAGES / str(job.guild_id),
            device=self.device,
            share=self.share,
        )

        def pace() -> TrainingPace:
            return TrainingPace(busy=self.busy(), paused=not self.hours.are_now, enough=progress.enough)

        report = await self.train(training, lambda at: progress(at.step, at.steps, at.sheet), pace)
        await self._keep(job, order, report, plan, folder)
        return report.seconds

    async def _word(self, job: Job, model: TrainableModel, folder: Path) -> str:
        """A word that the model hardly knows and none of the guild's LoRAs has filled; the same at each attempt."""
        chosen = folder / _WORD
        if await asyncio.to_thread(chosen.exists):
            return await asyncio.to_thread(chosen.read_text)
        words = await asyncio.to_thread(rare_tokens, model.source)
        taken = await self.room.loras.trigger_words(job.guild_id)
        word = next((rare for rare in words if rare not in taken), None)
        if word is None:
            raise UserError("Every rare word of this model is taken here; remove a trained LoRA with /lora remove.")
        await asyncio.to_thread(chosen.write_text, word)
        return word

    async def _keep(
        self, job: Job, order: TrainOrder, report: TrainingReport, plan: TrainingConfig, folder: Path
    ) -> None:
        """Put the chosen weights into the guild's library, the others beside them; the rest of the training is gone."""
        picks = _picks(order, report)
        size = await asyncio.to_thread(_put_away, folder, report, picks, self.loras)
        new = NewLora(
            guild_id=job.guild_id,
            name=order.name,
            owner_id=job.member_id,
            base_family=_model(order, self.models).facts.family,
            key=order.key,
            size=size,
            trigger_words=plan.instance_prompt,
            metadata=picks[report.chosen].scores,
            private=order.private,
            subject=order.concept is ConceptKind.SUBJECT,
        )
        old = await self.room.loras.get(job.guild_id, job.member_id, order.name) if order.retrain else None
        if old is None or old.owner_id != job.member_id or not await self.room.loras.retrain(old, new):
            # A member who has taken the name since keeps it, and nothing that was learnt is lost.
            name = await self.room.free_name(job.guild_id, job.member_id, order.name, private=order.private)
            await self.room.loras.add(replace(new, name=name))
        await asyncio.to_thread(_clear, folder)


def plan_of(order: TrainOrder, model: TrainableModel, word: str, seed: int) -> TrainingConfig:
    """The plan for what a member ordered, by what suits the size of the model."""
    facts = model.facts
    subject = order.concept is ConceptKind.SUBJECT
    plan = TrainingConfig(
        model=str(model.source),
        instance_prompt=f"{word} {order.class_word}" if subject else f"{word} style",
        class_prompt=order.class_word if subject else "picture",
        area=facts.width * facts.height,
        steps=1000,
        keep_every=100,
        seed=seed,
        preservation=Preservation.CLASS_IMAGES if subject else Preservation.NONE,
    )
    if facts.width <= _SMALL:
        backgrounds = ("{}", "{}, blue background", "{}, red background", "{}, white background")
        return replace(
            plan, steps=300, learning_rate=1e-3, batch=4, look_every=10, keep_every=50, templates=backgrounds
        )
    return replace(plan, gradient_checkpointing=FAMILIES[facts.family].gradient_checkpointing)


def _model(order: TrainOrder, models: Sequence[TrainableModel]) -> TrainableModel:
    return next(model for model in models if model.facts.name == order.model)


async def _examination(order: TrainOrder, facts: ModelFacts, blobs: BlobStore, folder: Path) -> ExamineImages:
    files = [HandedPath(name=file.name, path=await blobs.file(file.blob)) for file in order.files]
    return ExamineImages(
        files=tuple(files),
        folder=folder,
        native_size=facts.width,
        smallest=facts.width // 2,
        left_out=tuple(order.left_out),
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, "the folder of trainings", folder) from error


def _picks(order: TrainOrder, report: TrainingReport) -> tuple[Pick, ...]:
    """All sets of weights by their steps; the one that scored best has the order's own key."""
    return tuple(
        Pick(
            key=order.key if place == report.chosen else f"{order.key}-{candidate.step}",
            step=candidate.step,
            scores="\n".join(_scores(order, report, candidate)),
        )
        for place, candidate in enumerate(report.candidates)
    )


def _put_away(folder: Path, report: TrainingReport, picks: tuple[Pick, ...], loras: Path) -> int:
    """The weights to their place, the sheet and the picks to ours, each whole; returns the weights' bytes."""
    try:
        loras.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "run" / report.sheet, folder / _SHEET)
        (folder / _PICKS).write_text(write_picks(picks))
        targets = [loras / f"{pick.key}.safetensors" for pick in picks]
        for candidate, target in zip(report.candidates, targets, strict=True):
            with write_atomically(target) as file:
                shutil.copyfile(folder / "run" / candidate.file, file)
        return sum(target.stat().st_size for target in targets)
    except OSError as error:
        raise disk_error(error, "the folder of LoRAs", loras) from error


def _clear(folder: Path) -> None:
    """Everything but the sheet, which a later attempt may have to post."""
    for name in ("run", "images"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _scores(order: TrainOrder, report: TrainingReport, chosen: TrainingCandidate) -> list[str]:
    scores, what = chosen.scores, "it" if order.concept is ConceptKind.SUBJECT else "the style"
    kept = f" · other pictures of a {order.class_word} unchanged {scores.kept:.0%}" if order.class_word else ""
    return [
        f"Trained here for {order.title} · {chosen.step} of {report.steps} steps",
        f"Looks like {what} {min(1.0, scores.subject):.0%} · follows the prompt {scores.prompt:.0%}{kept} · "
        f"{seconds_words(report.seconds)}",
    ]
