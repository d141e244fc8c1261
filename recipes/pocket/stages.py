"""The stages in their order; each reads the results of earlier ones and resumes where it stopped."""

import json
import logging
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTokenizer

from recipes.pocket import (
    card,
    control_evaluation,
    control_training,
    evaluation,
    export,
    figures,
    landing,
    rendering,
    sampling,
    scene_evaluation,
    scene_judge,
    synonyms,
    text_training,
    twemoji,
    unet_training,
    vae_training,
)
from recipes.pocket import judge as judge_weights
from recipes.pocket.adoption import adopt_tokenizer, adopt_weights, is_fresh
from recipes.pocket.architecture import POCKET, Sizes, build_unet, build_vae
from recipes.pocket.conditioning import CaptionReader
from recipes.pocket.drawings import load_drawings, save_atlas
from recipes.pocket.run_folder import RunFolder, read, write
from recipes.pocket.sampling import render
from recipes.pocket.scenes import Concept, Scene, is_held_out, scenes
from recipes.pocket.sheet import write_sheet
from recipes.pocket.tokenizer import build_tokenizer
from recipes.pocket.training import Plan, TrainingRun

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a run depends on."""

    folder: RunFolder
    concepts: list[Concept]
    shipped: Path = export.SHIPPED
    shipped_judge: Path = judge_weights.WEIGHTS
    figures_file: Path = figures.FIGURES
    control_figures_file: Path = control_evaluation.FIGURES
    scene_figures_file: Path = scene_evaluation.FIGURES
    scene_judge: Path = scene_judge.WEIGHTS
    returned: Path = Path("pocket-out")
    atlas: Path | None = None
    samples_file: Path = card.SAMPLE_SHEET
    sizes: Sizes = POCKET
    text_plan: Plan = text_training.PLAN
    crops_plan: Plan = vae_training.CROPS
    whole_plan: Plan = vae_training.WHOLE
    decoder_plan: Plan = vae_training.DECODER
    unet_plan: Plan = unet_training.PLAN
    control_plan: Plan = control_training.PLAN
    style_judge_plan: Plan = twemoji.JUDGE_PLAN

    @cached_property
    def sprites(self) -> Tensor:
        """Every icon, rendered."""
        sprites: Tensor = read(self.folder.sprites)
        return sprites

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The vocabulary, made once: where two merges are equally frequent, their order is chance."""
        if not self.folder.tokenizer.exists():
            build_tokenizer(self.concepts).save_pretrained(self.folder.tokenizer)
        return CLIPTokenizer.from_pretrained(self.folder.tokenizer)

    @cached_property
    def seen_scenes(self) -> list[Scene]:
        """The combinations that training may see."""
        return [scene for scene in scenes(len(self.concepts)) if not is_held_out(scene)]

    def adopt(self) -> None:
        """Replaces what the run folder lacks by the shipped weights."""
        if is_fresh(self.folder) and self.shipped_judge.exists():
            adopt_tokenizer(self.folder, self.shipped)
            adopt_weights(self.folder, self.shipped, self.shipped_judge, self._new_reader())

    def data(self) -> None:
        """Renders the icons."""
        if not self.folder.sprites.exists():
            rendering.download_icons(self.folder.icons)
            write(rendering.render_sprites(self.folder.icons, self.concepts), self.folder.sprites)

    def draw(self) -> None:
        """Renders the icons again, larger, as the atlas that composed scenes are made of."""
        if not self.folder.drawings.exists():
            rendering.download_icons(self.folder.icons)
            save_atlas(rendering.draw_atlas(self.folder.icons, self.concepts), self.folder.drawings)

    def text(self) -> None:
        """Trains the text encoders and the judge against each other."""
        if self.folder.finished("text").exists():
            return
        training = TrainingRun(self._new_reader(), self.text_plan, self.folder.checkpoint("text"))
        examples = text_training.CaptionExamples(tokenizer=self.tokenizer, sprites=self.sprites, concepts=self.concepts)
        reader = training.run(
            lambda generator: text_training.loss(training.model, examples, self.text_plan.batch, generator),
            on_save=lambda _: None,
        )
        write(reader.state_dict(), self.folder.finished("text"))

    def _new_reader(self) -> text_training.Reader:
        return text_training.Reader(self.sizes, self.tokenizer, len(self.concepts))

    def vae(self) -> None:
        """Trains the autoencoder, on crops and then on whole images, and fixes the scale of latents."""
        if self.folder.finished("vae").exists():
            return
        vae = build_vae(self.sizes).to(memory_format=torch.channels_last)
        vae = self._train_vae(vae, self.crops_plan, vae_training.crop_loss, "vae-crops")
        vae = self._train_vae(vae, self.whole_plan, vae_training.whole_loss, "vae-whole")
        some = vae_training.random_images(self.sprites, 96, torch.Generator().manual_seed(0))
        vae_training.even_latents(vae, some)
        write(vae.state_dict(), self.folder.finished("vae"))

    def decoder(self) -> None:
        """Sharpens the decoder; the latents do not change, so the UNet can train meanwhile."""
        if self.folder.finished("decoder").exists():
            return
        vae = self.load_vae()
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
        vae = self._train_vae(vae, self.decoder_plan, vae_training.decoder_loss, "decoder")
        write(vae.state_dict(), self.folder.finished("decoder"))

    def _train_vae(self, vae: AutoencoderKL, plan: Plan, loss: vae_training.Loss, name: str) -> AutoencoderKL:
        training = TrainingRun(vae, plan, self.folder.checkpoint(name))
        return training.run(
            lambda generator: loss(training.model, self.sprites, plan.batch, generator), on_save=self._show_vae
        )

    def _show_vae(self, vae: nn.Module) -> None:
        some = vae_training.random_images(self.sprites, 12, torch.Generator().manual_seed(1))
        shown = torch.cat([some, vae_training.reconstruct(vae, some)])
        log.info("reconstruction error %.4f", (shown[:12] - shown[12:]).abs().mean())
        write_sheet(shown, columns=12, path=self.folder.sheet("vae"))

    def load_vae(self) -> AutoencoderKL:
        """The trained autoencoder, with the sharpened decoder once there is one."""
        vae = build_vae(self.sizes).to(memory_format=torch.channels_last)
        sharpened = self.folder.finished("decoder")
        vae.load_state_dict(read(sharpened if sharpened.exists() else self.folder.finished("vae")))
        return vae

    def latents(self) -> None:
        """Encodes every image that training may see."""
        if self.folder.latents.exists():
            return
        starts = range(0, len(self.seen_scenes), 16)
        batches = (rendering.images(self.sprites, self.seen_scenes[start : start + 16]) for start in starts)
        write(vae_training.encode_all(self.load_vae(), batches), self.folder.latents)

    def load_unet(self) -> UNet2DConditionModel:
        """The UNet's running average, of the finished training or of the last checkpoint; before one, what shipped."""
        unet = build_unet(self.sizes)
        checkpoint = self.folder.checkpoint("unet")
        if self.folder.finished("unet").exists():
            unet.load_state_dict(read(self.folder.finished("unet")))
        elif checkpoint.exists():
            average = torch.optim.swa_utils.AveragedModel(unet)
            average.load_state_dict(read(checkpoint)["average"])
            unet = average.module
        else:
            unet.load_state_dict(read(self.folder.start))
        return unet.eval()

    def load_pipeline(self, unet: UNet2DConditionModel) -> StableDiffusionXLPipeline:
        """A UNet with the other parts, trained."""
        reader = self._new_reader()
        reader.load_state_dict(read(self.folder.finished("text")))
        return export.assemble(
            vae=self.load_vae(),
            unet=unet,
            text_encoder=reader.text_encoder.eval(),
            text_encoder_2=reader.text_encoder_2.eval(),
            tokenizer=self.tokenizer,
        )

    def unet(self) -> None:
        """Trains the UNet on the latents with the frozen text encoders."""
        if self.folder.finished("unet").exists():
            return
        unet = build_unet(self.sizes).to(memory_format=torch.channels_last)
        if self.folder.start.exists():
            unet.load_state_dict(read(self.folder.start))
        training = TrainingRun(unet, self.unet_plan, self.folder.checkpoint("unet"))
        examples = unet_training.LatentExamples(
            scenes=self.seen_scenes,
            latents=read(self.folder.latents),
            concepts=self.concepts,
            reader=CaptionReader(self.load_pipeline(unet)),
        )
        unet = training.run(
            lambda generator: unet_training.loss(training.model, examples, self.unet_plan.batch, generator),
            on_save=self._show_unet,
        )
        write(unet.state_dict(), self.folder.finished("unet"))

    def _show_unet(self, unet: nn.Module) -> None:
        shown = render(self.load_pipeline(unet), unet_training.SHOWN, seed=0)
        write_sheet(shown, columns=8, path=self.folder.sheet("unet"))

    def control(self) -> None:
        """Trains the ControlNet on the finished UNet, and ships it."""
        unet = self.load_unet().requires_grad_(requires_grad=False)
        net = control_training.build_control(unet).to(memory_format=torch.channels_last)
        training = TrainingRun(net, self.control_plan, self.folder.checkpoint("control"))
        examples = control_training.ControlExamples(
            scenes=self.seen_scenes,
            concepts=self.concepts,
            sprites=self.sprites,
            unet=unet,
            vae=self.load_vae().requires_grad_(requires_grad=False),
            reader=CaptionReader(self.load_pipeline(unet)),
        )
        net = training.run(
            lambda generator: control_training.loss(training.model, examples, self.control_plan.batch, generator),
            on_save=lambda _: None,
        )
        export.save_control(net, self.shipped / "controls" / control_training.FOLDER)

    def evaluate_control(self) -> None:
        """Measures how well images follow the shipped ControlNet."""
        asked = evaluation.asked_scenes(len(self.concepts))[: control_evaluation.PAIRS]
        score = control_evaluation.evaluate(
            export.load(self.shipped),
            export.load_control(self.shipped / "controls" / control_training.FOLDER),
            self.sprites,
            asked,
            evaluation.prompts(asked, self.concepts),
        )
        log.info("%s", score)
        self.control_figures_file.write_text(json.dumps(asdict(score), indent=2) + "\n", encoding="utf-8")

    def judge(self) -> None:
        """Ships the judge and measures it on real renderings that training never saw."""
        reader = self._new_reader()
        reader.load_state_dict(read(self.folder.finished("text")))
        judge_weights.save_judge(reader.judge, self.shipped_judge)
        unseen = evaluation.held_out_scenes(len(self.concepts))
        judge = judge_weights.load_judge(self.shipped_judge)
        figures.record(
            self.figures_file,
            figures.JUDGE,
            evaluation.judge_images(judge, lambda batch: rendering.images(self.sprites, batch), unseen),
        )

    def export(self) -> None:
        """Writes the folder that ships."""
        for name in (figures.POCKET, figures.FEW):
            self.folder.checkpoint(f"evaluate-{name}").unlink(missing_ok=True)
        export.save(self.load_pipeline(self.load_unet()), self.shipped)

    def evaluate(self) -> None:
        """Measures what ships: prompts of combinations that training never saw, judged."""
        self._evaluate(figures.POCKET, sampling.STEPS)

    def evaluate_few(self) -> None:
        """The same with so few steps as the demo takes."""
        self._evaluate(figures.FEW, sampling.FEW_STEPS)

    def _evaluate(self, name: str, steps: int) -> None:
        pipe, judge = export.load(self.shipped), judge_weights.load_judge(self.shipped_judge)
        asked = evaluation.asked_scenes(len(self.concepts))
        done = self.folder.checkpoint(f"evaluate-{name}")
        total = evaluation.Score(**read(done)) if done.exists() else evaluation.Score()
        for batch in evaluation.batches(asked[total.images :]):
            texts = evaluation.prompts(batch, self.concepts)
            total += evaluation.score(judge(render(pipe, texts, total.images, steps)), batch)
            write(asdict(total), done)
            log.info("%s", total)
        figures.record(self.figures_file, name, total)

    def twemoji(self) -> None:
        """Trains a judge of one more style, then the LoRA of that style, and ships both."""
        rendering.download_icons(self.folder.icons, (twemoji.ICON_SET,))
        own = rendering.render_set(self.folder.icons, twemoji.ICON_SET, self.concepts)
        sprites = torch.cat([self.sprites, own[:, None]], dim=1)
        training = TrainingRun(twemoji.StyleJudge(), self.style_judge_plan, self.folder.checkpoint("style-judge"))
        judge = training.run(
            lambda generator: twemoji.judge_loss(training.model, sprites, self.style_judge_plan.batch, generator),
            on_save=lambda _: None,
        )
        twemoji.save_style_judge(judge)
        log.info("real drawings named right, by style: %s", twemoji.real_share(twemoji.load_style_judge(), sprites))
        learnt = twemoji.teach(own, self.concepts, self.folder.root / "twemoji")
        twemoji.ship(learnt, self.shipped, self.shipped / twemoji.SHIPPED)

    def card(self) -> None:
        """Draws the sheet of samples and writes the model card."""
        shown = render(export.load(self.shipped), card.SAMPLES, seed=0)
        write_sheet(shown, columns=card.COLUMNS, path=self.samples_file)
        control = control_evaluation.ControlScore(**json.loads(self.control_figures_file.read_text(encoding="utf-8")))
        card.write_card(self.shipped, figures.recorded(self.figures_file), control)

    def land(self) -> None:
        """Ships the weights that a timed run returned."""
        landing.land(self.returned, self.shipped, self.shipped, self.scene_judge)

    def synonyms(self) -> None:
        """Writes the table of synonyms for the things that the model can draw."""
        log.info("%d words", synonyms.build(self.folder.root / "words", self.concepts))

    def evaluate_scenes(self) -> None:
        """Measures what ships at every preset, on composed scenes that training never saw."""
        pipe, device = export.load(self.shipped), torch.device("cpu")
        atlas = self.atlas or self.folder.drawings
        scene_evaluation.SceneEvaluation(
            render=lambda prompts, seed, size: render(pipe, prompts, seed, size=size),
            judge=scene_judge.load_scene_judge(self.scene_judge),
            drawings=load_drawings(atlas, len(self.concepts), device, torch.float32),
            tokenizer=pipe.tokenizer,
            concepts=self.concepts,
            figures=self.scene_figures_file,
        ).run()
