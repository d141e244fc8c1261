"""A LoRA of a style that pocket never saw: the drawings of Twemoji (CC-BY-4.0), which no other stage reads."""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.export import Exported, export_lora
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.importing.base_layers import skeleton
from pipeline.training.config import Preservation, TrainingConfig
from pipeline.training.report import TrainingReport
from pipeline.training.request import TrainingImage, TrainingRequest
from pipeline.training.trainer import train
from recipes.pocket.backgrounds import BACKGROUND_COLOURS, on_colour
from recipes.pocket.judge import load_judge
from recipes.pocket.rendering import SIZE
from recipes.pocket.scenes import BACKGROUNDS, STYLES, Concept
from recipes.pocket.text_training import disturbed
from recipes.pocket.training import Plan

ICON_SET = "twemoji"
TRIGGER = "flat style"
SHIPPED = Path("loras", "twemoji.safetensors")
JUDGE = Path(__file__).with_name("style_judge.safetensors")
JUDGE_PLAN = Plan(steps=400, batch=64, rate=1e-3, warmup=40, average=0.98)
# One concept in so many is held out of the LoRA's training, to test whether the style carries over.
UNSEEN_ONE_IN = 6
# Guidance pushes away from the unconditional image, so that one must have the style too.
NAMELESS_ONE_IN = 10
# So many backgrounds, the last in the list, are held out of the judge's training.
JUDGED_BACKGROUNDS = 3
# Each thing is shown in so many images, or the LoRA learns its one background as a part of it.
BACKGROUNDS_EACH = 6

STYLE_PLAN = TrainingConfig(
    model="pocket",
    instance_prompt=TRIGGER,
    class_prompt="cartoon style",
    area=SIZE * SIZE,
    steps=7500,
    seed=0,
    rank=32,
    alpha=32.0,
    convolutions=True,
    preservation=Preservation.NONE,
    learning_rate=1e-3,
    cooldown=0.4,
    velocity_floor=False,
    batch=8,
    average=0.998,
    settles=False,
    look_every=250,
    keep_every=500,
    templates=("red apple, {}", "dog, {}", "red car, {}"),
)


class StyleJudge(nn.Module):
    """The judge with one style more: reads RGB images from -1 to 1, gives (rows, 4) scores before softmax."""

    def __init__(self) -> None:
        super().__init__()
        judge = load_judge()
        self.trunk = judge.trunk
        self.style = nn.Linear(judge.style.in_features, len(STYLES) + 1)

    def forward(self, images: Tensor) -> Tensor:
        """The scores of each style, Twemoji's last."""
        maps = self.trunk(functional.interpolate(images, size=(64, 64), mode="area"))
        coarse = functional.adaptive_max_pool2d(maps, 2).flatten(1)
        scores: Tensor = self.style(torch.cat([coarse, maps.mean(dim=(2, 3))], dim=1))
        return scores


def load_style_judge(path: Path = JUDGE) -> StyleJudge:
    """The shipped judge of the style, ready to use."""
    judge = StyleJudge()
    judge.load_state_dict(load_file(path))
    return judge.eval()


def save_style_judge(judge: nn.Module, path: Path = JUDGE) -> None:
    """Writes the weights in half precision."""
    state = {name: one.half() if one.is_floating_point() else one for name, one in judge.state_dict().items()}
    save_file(state, path)


def judge_loss(judge: nn.Module, sprites: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """The judge must name the style; `sprites` is (concept, 4 styles, RGBA, height, width)."""
    things = torch.randint(len(sprites), (batch,), generator=generator)
    styles = torch.randint(sprites.shape[1], (batch,), generator=generator)
    colours = torch.randint(len(BACKGROUNDS) - JUDGED_BACKGROUNDS, (batch,), generator=generator)
    shown = on_colour(sprites[things, styles], BACKGROUND_COLOURS[colours])
    return functional.cross_entropy(judge(disturbed(shown, generator)), styles, label_smoothing=0.05)


@torch.no_grad()
def real_share(judge: nn.Module, sprites: Tensor) -> list[float]:
    """Of the real drawings of each style, on backgrounds that the judge never saw, the share that it names."""
    generator = torch.Generator().manual_seed(0)
    shares = []
    for style in range(sprites.shape[1]):
        first = len(BACKGROUNDS) - JUDGED_BACKGROUNDS
        colours = torch.randint(first, len(BACKGROUNDS), (len(sprites),), generator=generator)
        named = [
            judge(on_colour(some, BACKGROUND_COLOURS[colour])).argmax(dim=1)
            for some, colour in zip(torch.split(sprites[:, style], 32), torch.split(colours, 32), strict=True)
        ]
        shares.append(float((torch.cat(named) == style).float().mean()))
    return shares


def is_unseen(number: int) -> bool:
    """Whether concept `number` is never shown to the LoRA."""
    return number % UNSEEN_ONE_IN == 0


def teach(sprites: Tensor, concepts: Sequence[Concept], folder: Path) -> Path:
    """Train the LoRA on Twemoji's `sprites` (concept, RGBA, height, width) in `folder`; returns its canonical file."""
    images = _images(sprites, concepts, folder)
    order = TrainingRequest(
        plan=STYLE_PLAN, images=images, folder=folder / "run", cache=folder / "classes", device="cpu"
    )
    training = train(order)
    while True:
        try:
            next(training)
        except StopIteration as end:
            report: TrainingReport = end.value
            return order.folder / report.candidates[-1].file


def ship(learnt: Path, model: Path, target: Path) -> None:
    """Write the canonical LoRA `learnt` of `model` as a file that any member can add."""
    target.parent.mkdir(exist_ok=True)
    about = Exported(title="Twemoji style", trigger=TRIGGER, resolution=SIZE)
    export_lora(learnt, skeleton(model, ModelFamily.SDXL), LoraLayout.KOHYA, about, target)


def _images(sprites: Tensor, concepts: Sequence[Concept], folder: Path) -> tuple[TrainingImage, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(0)  # noqa: S311 (chance, not secrecy)
    made: list[TrainingImage] = []
    for number, concept in enumerate(concepts):
        if is_unseen(number):
            continue
        for name in dice.sample(list(BACKGROUNDS), BACKGROUNDS_EACH):
            colour = BACKGROUND_COLOURS[[list(BACKGROUNDS).index(name)]]
            pixels = ((on_colour(sprites[number : number + 1], colour)[0] + 1) * 127.5).round().byte()
            path = folder / f"{number}-{name}.png"
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
            nameless = len(made) % NAMELESS_ONE_IN == 0
            caption = "" if nameless else f"{concept.words[0]}, {{}}, {name} background"
            made.append(TrainingImage(path=path, caption=caption))
    return tuple(made)
