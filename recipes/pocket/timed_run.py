"""`python -m recipes.pocket --minutes 4 --device cuda`: autoencoder, UNet with its words, and judge, in that time."""

import copy
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from recipes.pocket import export, sampling
from recipes.pocket.aspects import PRESETS
from recipes.pocket.canvas import paint
from recipes.pocket.composed_batch import Scenes, batches
from recipes.pocket.conditioned_unet import ConditionedUNet, denoising_loss
from recipes.pocket.drawings import Drawings, load_drawings
from recipes.pocket.run_folder import RunFolder
from recipes.pocket.scene_judge import WEIGHTS, SceneJudge, judge_loss, load_scene_judge
from recipes.pocket.scenes import Concept
from recipes.pocket.sheet import write_sheet
from recipes.pocket.timed_training import Model, TimedPlan, TimedTraining
from recipes.pocket.vae_training import even_latents, image_loss

log = logging.getLogger(__name__)

SHOWN = (
    "red fox, flat style, teal background",
    "a cat",
    "three red apples and a fox, flat style, teal background",
    "two penguins, glossy style, blue and white background",
    "small rocket on the left, cartoon style, purple background",
    "a dog in front of a house, cartoon style, green background",
    "pizza",
    "four robots, glossy style, yellow background",
)
KL_WEIGHT = 1e-4
LATENT_NOISE = 0.05


@dataclass(frozen=True, kw_only=True)
class TimedRun:
    """A run from start to end; `shares` divide the time between the autoencoder, the UNet and the judge."""

    folder: RunFolder
    out: Path
    concepts: list[Concept]
    device: torch.device
    start: Path = export.SHIPPED
    judge: Path = WEIGHTS
    batch: int = 1024
    vae_batch: int = 256
    workers: int = 0
    compiles: bool = False
    atlas: Path | None = None
    shares: tuple[float, float, float] = (0.26, 0.64, 0.10)
    finish_seconds: float = 14
    shown: tuple[str, ...] = SHOWN
    steps: int = sampling.STEPS

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the models compute in."""
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32

    @property
    def paint_dtype(self) -> torch.dtype:
        """The dtype that images are composed in: coordinates need finer steps than bfloat16 has."""
        return torch.float16 if self.device.type == "cuda" else torch.float32

    def run(self, seconds_left: Callable[[], float]) -> None:
        """Trains, and writes weights and a sheet; `seconds_left` is called once, when all is ready to train."""
        torch.set_float32_matmul_precision("high")
        drawings = load_drawings(self.atlas or self.folder.drawings, len(self.concepts), self.device, self.paint_dtype)
        tokenizer = CLIPTokenizer.from_pretrained(self.start / "tokenizer")
        vae, model = AutoencoderKL.from_pretrained(self.start / "vae"), ConditionedUNet.load(self.start)
        judge = load_scene_judge(self.judge) if self.judge.exists() else SceneJudge(len(self.concepts))
        left = max(1e-3, seconds_left() - self.finish_seconds)
        log.info("%.1f s to train", left)
        for_vae, for_unet, for_judge = (left * share for share in self.shares)
        vae = self.train_vae(vae, drawings, tokenizer, for_vae) if for_vae else self.placed(vae)
        parts = {"vae": vae}
        self.save_parts("parts", parts)
        model = self.train_unet(model, vae, drawings, tokenizer, for_unet) if for_unet else self.placed(model)
        parts |= self.save_unet(model)
        self.save_parts("parts", parts)
        if for_judge:
            judge = self.train_judge(judge, drawings, tokenizer, for_judge)
        self.save_parts("parts", parts | {"judge": judge})
        self.show(model, vae, tokenizer)

    def placed(self, model: Model) -> Model:
        """The model on the device, laid out as convolutions like it."""
        placed: Model = model.to(self.device)
        # torch knows this argument and its types do not.
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def scenes(self, tokenizer: CLIPTokenizer, batch: int, training: TimedTraining[Any], salt: int) -> Scenes:
        """Scenes that a resumed run has not seen yet."""
        return Scenes(self.concepts, tokenizer, batch, seed=salt * 1_000_003 + training.step)

    def train_vae(
        self, vae: AutoencoderKL, drawings: Drawings, tokenizer: CLIPTokenizer, seconds: float
    ) -> AutoencoderKL:
        """Autoencoder on composed scenes, then latents of even spread again."""
        plan = TimedPlan(rate=1.5e-3, average=0.99)
        training = TimedTraining(self.placed(vae), plan, self.folder.checkpoint("timed-vae"), self.dtype)
        source = batches(self.scenes(tokenizer, self.vae_batch, training, 1), self.workers)
        average = training.run(
            lambda: _vae_loss(training.model, paint(drawings, next(source)).to(self.dtype)), seconds, self.losses
        )
        some = paint(drawings, next(source)).float()
        even_latents(average, some)
        return average

    def train_unet(
        self, model: ConditionedUNet, vae: AutoencoderKL, drawings: Drawings, tokenizer: CLIPTokenizer, seconds: float
    ) -> ConditionedUNet:
        """UNet and text encoders."""
        encoder = copy.deepcopy(vae).to(self.dtype).requires_grad_(requires_grad=False)
        plan = TimedPlan(rate=2e-3, average=0.998)
        training = TimedTraining(self.placed(model), plan, self.folder.checkpoint("timed-unet"), self.dtype)
        source = batches(self.scenes(tokenizer, self.batch, training, 2), self.workers)
        if self.compiles:
            training.model.unet.compile(dynamic=True)
        loss = lambda: denoising_loss(training.model, encoder, drawings, next(source), self.device)  # noqa: E731 (one expression)
        return training.run(loss, seconds, self.losses, on_save=self.save_unet)

    def train_judge(
        self, judge: SceneJudge, drawings: Drawings, tokenizer: CLIPTokenizer, seconds: float
    ) -> SceneJudge:
        """The judge on real compositions."""
        plan = TimedPlan(rate=2e-3, average=0.99)
        training = TimedTraining(self.placed(judge), plan, self.folder.checkpoint("timed-judge"), self.dtype)
        source = batches(self.scenes(tokenizer, self.vae_batch, training, 3), self.workers)

        def loss() -> Tensor:
            batch = next(source)
            shown = paint(drawings, batch).to(self.dtype)
            noisy = shown + 0.1 * torch.randn_like(shown) * torch.rand_like(shown[:, :1, :1, :1])
            return judge_loss(training.model, noisy, batch, len(self.concepts))

        return training.run(loss, seconds, self.losses)

    @property
    def losses(self) -> Path:
        """Where the losses are logged."""
        return self.out / "losses.jsonl"

    def save_parts(self, name: str, parts: dict[str, nn.Module]) -> None:
        """One file of half-precision weights, each named by its part."""
        self.out.mkdir(parents=True, exist_ok=True)
        named = {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}
        partial = self.out / f"{name}.partial"
        save_file({key: value.detach().half().cpu().contiguous() for key, value in named.items()}, partial)
        partial.replace(self.out / f"{name}.safetensors")

    def save_unet(self, model: ConditionedUNet) -> dict[str, nn.Module]:
        """The UNet in two files, each about half as large; gives the text encoders."""
        self.save_parts("unet-down", {"down": model.unet.down_blocks, "mid": model.unet.mid_block})
        rest = copy.copy(model.unet)
        rest._modules = {k: v for k, v in rest._modules.items() if k not in {"down_blocks", "mid_block"}}  # noqa: SLF001
        self.save_parts("unet-rest", {"rest": rest})
        return {"text_encoder": model.text_encoder, "text_encoder_2": model.text_encoder_2}

    @torch.no_grad()
    def show(self, model: ConditionedUNet, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> None:
        """A sheet of samples at every preset."""
        pipe = export.assemble(
            vae=vae.float(),
            unet=model.unet.float().eval(),
            text_encoder=model.text_encoder.float().eval(),
            text_encoder_2=model.text_encoder_2.float().eval(),
            tokenizer=tokenizer,
        )
        for aspect, (width, height) in PRESETS.items():
            shown = sampling.render(pipe, list(self.shown), seed=0, steps=self.steps, size=(width, height))
            write_sheet(shown.float().cpu(), len(self.shown), self.folder.sheet(aspect.replace(":", "x")))
        join_sheets([self.folder.sheet(aspect.replace(":", "x")) for aspect in PRESETS], self.out / "samples.png")


def _vae_loss(vae: AutoencoderKL, shown: Tensor) -> Tensor:
    shown = shown.contiguous(memory_format=torch.channels_last)
    posterior = vae.encode(shown).latent_dist
    kl: Tensor = posterior.kl().float().mean() / posterior.mean[0].numel()
    deviation = (posterior.std.square() + (LATENT_NOISE / vae.config.scaling_factor) ** 2).sqrt()
    latents = posterior.mean + deviation * torch.randn_like(posterior.mean)
    return image_loss(vae.decode(latents.to(shown.dtype)).sample.float(), shown.float()) + KL_WEIGHT * kl


def join_sheets(sheets: list[Path], path: Path) -> None:
    """The sheets, one below the other, as one image."""
    opened = []
    for sheet in sheets:
        with Image.open(sheet) as file:
            opened.append(file.convert("RGB"))
    page = Image.new("RGB", (max(one.width for one in opened), sum(one.height for one in opened)), "white")
    top = 0
    for one in opened:
        page.paste(one, (0, top))
        top += one.height
    page.save(path)


def workers_here() -> int:
    """As many processes as there are spare cores; none where there are only two cores."""
    return max(0, (os.cpu_count() or 1) - 2)
