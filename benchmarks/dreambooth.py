"""Subjects that pocket never saw, trained and judged: `python -m benchmarks.dreambooth --icons F --folder F`.

Every figure is of images that the engine makes with the training's own canonical LoRA, judged by
`recipes.pocket.judge`, which no training saw. The icon sets come from npm into `--icons`; what is done stays in
`--folder`, so that the same call goes on. One thread: run it with OMP_NUM_THREADS=1.
"""

import argparse
import io
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.image_guidance import rendered
from pipeline.images.grid import labelled_grid
from pipeline.requests.image_request import ImageRequest, LoraUse
from pipeline.training.config import Method, Preservation, TrainingConfig
from pipeline.training.report import TrainingReport
from pipeline.training.request import TrainingImage, TrainingRequest
from pipeline.training.trainer import train
from recipes.pocket.judge import Judge, JudgeScores, load_judge
from recipes.pocket.rendering import SIZE, download_icons
from recipes.pocket.scenes import BACKGROUNDS
from recipes.pocket.subjects import SUBJECTS, Subject, subject_images

RARE_WORD = "j"
SEEDS = 3
PLAIN = 24
TEMPLATES = ("{}", "{}, blue background", "{}, red background", "{}, white background")


class Way(StrEnum):
    """How a subject is trained."""

    NOT_AT_ALL = "no training"
    LORA = "LoRA"
    FULL = "full fine-tuning"
    UNSTOPPED = "LoRA, twice the steps, no early stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One subject trained in one way.

    `likeness` is the mean cosine of the judge's embeddings between samples and real images, as a share of that between
    the real images; `background` the share of samples on the background that was asked for; `kept` the mean cosine
    between images of the plain class with the weights and without, from the same noise.
    """

    subject: str
    way: Way
    likeness: float
    background: float
    kept: float
    steps: int = 0
    cpu_seconds: float = 0.0


def main() -> None:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, required=True, help="where the icon sets' packages are, or shall be")
    parser.add_argument("--folder", type=Path, required=True, help="trainings and results")
    parser.add_argument("--ways", nargs="*", type=Way, default=list(Way), choices=list(Way), help="all by default")
    parser.add_argument("--subjects", type=int, default=len(SUBJECTS), help="only so many of the ten")
    asked = parser.parse_args()
    # Numbers too small to matter take a CPU a hundred times as long.
    torch.set_flush_denormal(True)
    download_icons(asked.icons)
    subjects = SUBJECTS[: asked.subjects]
    results = [_result(subject, way, asked.icons, asked.folder) for way in asked.ways for subject in subjects]
    print("| way | subjects | likeness | lowest | background | plain class kept | steps | CPU-seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for way in asked.ways:
        print(_row(way, [one for one in results if one.way == way]))


def _row(way: Way, results: Sequence[Result]) -> str:
    average = {
        field.name: mean(getattr(one, field.name) for one in results)
        for field in fields(Result)
        if field.name not in {"subject", "way"}
    }
    lowest = min(one.likeness for one in results)
    return (
        f"| {way} | {len(results)} | {average['likeness']:.1%} | {lowest:.1%} | {average['background']:.1%}"
        f" | {average['kept']:.3f} | {average['steps']:.0f} | {average['cpu_seconds']:.0f} |"
    )


def _result(subject: Subject, way: Way, icons: Path, folder: Path) -> Result:
    """Read from the folder, or measured and stored there."""
    note = folder / "results" / f"{subject.icon}-{way.name.lower()}.json"
    if note.exists():
        return Result(**json.loads(note.read_text()))
    images = subject_images(subject, icons)
    if way is Way.NOT_AT_ALL:
        result = _judged(subject, way, images, None, folder)
    else:
        if way is Way.UNSTOPPED:
            stopped = _result(subject, Way.LORA, icons, folder)
            steps = 2 * stopped.steps
        else:
            steps = 0
        order = _order(subject, way, images, folder, steps)
        began = time.process_time()
        report = _trained(order)
        seconds = time.process_time() - began
        chosen = report.candidates[-1 if way is Way.UNSTOPPED else report.chosen]
        judged = _judged(subject, way, images, order.folder / chosen.file, folder)
        result = replace(judged, steps=report.steps, cpu_seconds=seconds)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(asdict(result)))
    print(f"{subject.icon}, {way}: {result.likeness:.1%} alike after {result.steps} steps", flush=True)
    return result


def _order(subject: Subject, way: Way, images: Sequence[Image.Image], folder: Path, steps: int) -> TrainingRequest:
    own = folder / f"{subject.icon}-{way.name.lower()}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    paths = [own / f"{number}.png" for number in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    plan = TrainingConfig(
        model="pocket",
        instance_prompt=f"{RARE_WORD} {subject.class_word}",
        class_prompt=subject.class_word,
        area=SIZE * SIZE,
        steps=steps or 300,
        settles=not steps,
        seed=0,
        batch=4,
        class_images=24,
        look_every=10,
        templates=TEMPLATES,
        learning_rate=1e-3,
    )
    if way is Way.FULL:
        plan = replace(plan, method=Method.FULL, learning_rate=1e-4, rank=64, preservation=Preservation.CLASS_IMAGES)
    return TrainingRequest(
        plan=plan,
        images=tuple(TrainingImage(path=path) for path in paths),
        folder=own,
        cache=folder / "classes",
        device="cpu",
    )


def _trained(order: TrainingRequest) -> TrainingReport:
    training = train(order)
    while True:
        try:
            next(training)
        except StopIteration as end:
            report: TrainingReport = end.value
            return report


def _judged(subject: Subject, way: Way, images: Sequence[Image.Image], lora: Path | None, folder: Path) -> Result:
    """Ten backgrounds by a few seeds of the subject, and plain images of its class with the weights and without."""
    judge = load_judge()
    backgrounds = list(BACKGROUNDS)
    word = subject.class_word if way is Way.NOT_AT_ALL else f"{RARE_WORD} {subject.class_word}"
    asked = [
        (f"{word}, {name} background", 100 * seed + place)
        for seed in range(SEEDS)
        for place, name in enumerate(backgrounds)
    ]
    own = list(_drawn(asked, lora))
    plain = [(subject.class_word, 1000 + seed) for seed in range(PLAIN)]
    _save_sheet(own[: len(backgrounds)], images, folder / f"{subject.icon}-{way.name.lower()}.png")
    said, real = _verdict(judge, own), _verdict(judge, images)
    wanted = torch.arange(len(asked)) % len(backgrounds)
    before, after = (_verdict(judge, list(_drawn(plain, file))).embedding for file in (None, lora))
    return Result(
        subject=subject.icon,
        way=way,
        likeness=float((said.embedding @ real.embedding.T).mean()) / _alike(real.embedding),
        background=float((said.background.argmax(dim=1) == wanted).float().mean()),
        kept=float((before * after).sum(dim=1).mean()),
    )


def _drawn(asked: Sequence[tuple[str, int]], lora: Path | None) -> Iterator[Image.Image]:
    uses = () if lora is None else (LoraUse(key=lora.stem, name="subject"),)
    requests = [
        ImageRequest(
            prompt=prompt,
            width=SIZE,
            height=SIZE,
            steps=20,
            guidance_scale=4.0,
            seed=seed,
            model="pocket",
            loras=uses,
        )
        for prompt, seed in asked
    ]
    loras = None if lora is None else lora.parent
    return (Image.open(io.BytesIO(png)).convert("RGB") for png in rendered(requests, loras=loras))


@torch.no_grad()
def _verdict(judge: Judge, images: Sequence[Image.Image]) -> JudgeScores:
    pixels = np.stack([np.asarray(image, np.float32) for image in images])
    verdict: JudgeScores = judge(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1)
    return verdict


def _alike(embeddings: Tensor) -> float:
    """The mean cosine between different images."""
    alike, count = embeddings @ embeddings.T, len(embeddings)
    return float((alike.sum() - alike.trace()) / (count * (count - 1)))


def _save_sheet(samples: Sequence[Image.Image], images: Sequence[Image.Image], path: Path) -> None:
    """The given images above ten samples."""
    labelled_grid([*images, *samples], [""] * len(images), ["given", "made", ""]).save(path)


if __name__ == "__main__":
    main()
