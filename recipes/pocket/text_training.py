"""Training of the text encoders: captions against images, as CLIP does it, with the judge as image encoder."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTokenizer

from recipes.pocket.architecture import POOLED, Sizes, build_text_encoder, build_text_encoder_2
from recipes.pocket.captions import random_caption
from recipes.pocket.judge import Judge, JudgeScores
from recipes.pocket.rendering import images
from recipes.pocket.scenes import BACKGROUNDS, STYLES, Concept, Scene, is_held_out
from recipes.pocket.training import Plan

PLAN = Plan(steps=900, batch=128, rate=2e-3, cooldown=0.6, average=0.99)
# Images of one concept in a batch: only style and background distinguish them.
TWINS = 4
_TEMPERATURE = 0.05


class Reader(nn.Module):
    """Both text encoders and the judge, trained together."""

    def __init__(self, sizes: Sizes, tokenizer: CLIPTokenizer, concept_count: int) -> None:
        super().__init__()
        self.text_encoder = build_text_encoder(sizes, tokenizer)
        self.text_encoder_2 = build_text_encoder_2(sizes, tokenizer)
        # The first encoder has no projection of its own; this one serves training only.
        self.projection = nn.Linear(sizes.text, POOLED)
        self.judge = Judge(concept_count)

    def embeddings(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Each encoder's summary of the tokens, of length one."""
        first = self.projection(self.text_encoder(ids).pooler_output)
        second = self.text_encoder_2(ids).text_embeds
        return functional.normalize(first, dim=-1), functional.normalize(second, dim=-1)


def _short_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids, padded to the longest text only, since tokens after a text's end do not change its summary."""
    ids: Tensor = tokenizer(texts, padding="longest", return_tensors="pt").input_ids
    return ids


def random_scenes(concept_count: int, batch: int, rng: random.Random) -> list[Scene]:
    """Scenes that training may see, a few of each chosen concept."""
    chosen = rng.sample(range(concept_count), min(concept_count, batch // TWINS))
    return [seen_scene(concept, rng) for concept in chosen for _ in range(TWINS)]


def seen_scene(concept: int, rng: random.Random) -> Scene:
    """A random scene of the concept that is not held out."""
    while True:
        scene = Scene(concept=concept, style=rng.randrange(len(STYLES)), background=rng.randrange(len(BACKGROUNDS)))
        if not is_held_out(scene):
            return scene


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionExamples:
    """The captions' words and the images to train on."""

    tokenizer: CLIPTokenizer
    sprites: Tensor
    concepts: list[Concept]


def loss(reader: Reader, examples: CaptionExamples, batch: int, generator: torch.Generator) -> Tensor:
    """The contrastive loss of captions and images, with the judge's error in naming what it sees."""
    rng = random.Random(int(torch.randint(2**62, (1,), generator=generator)))  # noqa: S311 (chance, not secrecy)
    scenes = random_scenes(len(examples.concepts), batch, rng)
    captions = [random_caption(scene, examples.concepts[scene.concept], rng) for scene in scenes]
    seen = reader.judge(disturbed(images(examples.sprites, scenes), generator))
    matches = torch.tensor([[caption.describes(scene) for scene in scenes] for caption in captions]).float()
    ids = _short_ids(examples.tokenizer, [caption.text for caption in captions])
    contrast = sum(_contrast(words, seen.embedding, matches) for words in reader.embeddings(ids))
    return contrast + judge_loss(seen, scenes)


def _contrast(words: Tensor, embeddings: Tensor, matches: Tensor) -> Tensor:
    scores = words @ embeddings.T / _TEMPERATURE
    to_images = functional.cross_entropy(scores, matches / matches.sum(dim=1, keepdim=True))
    to_words = functional.cross_entropy(scores.T, (matches / matches.sum(dim=0)).T)
    return (to_images + to_words) / 2


def judge_loss(seen: JudgeScores, scenes: list[Scene]) -> Tensor:
    """The judge's error in naming the scenes."""
    return (
        functional.cross_entropy(seen.concept, torch.tensor([scene.concept for scene in scenes]))
        + functional.cross_entropy(seen.style, torch.tensor([scene.style for scene in scenes]))
        + functional.cross_entropy(seen.background, torch.tensor([scene.background for scene in scenes]))
    )


def disturbed(shown: Tensor, generator: torch.Generator) -> Tensor:
    """The images moved, scaled, blurred and noised a little, so that the judge relies on their content."""
    count = len(shown)
    scale = 1 + 0.1 * (2 * torch.rand(count, generator=generator) - 1)
    moved = torch.zeros(count, 2, 3)
    moved[:, 0, 0] = moved[:, 1, 1] = scale
    moved[:, :, 2] = 0.12 * (2 * torch.rand(count, 2, generator=generator) - 1)
    grid = functional.affine_grid(moved, [count, 3, 64, 64], align_corners=False)
    shown = functional.interpolate(shown, size=(64, 64), mode="area")
    shown = functional.grid_sample(shown, grid, padding_mode="border", align_corners=False)
    blurred = functional.avg_pool2d(shown, 3, stride=1, padding=1, count_include_pad=False)
    shown = torch.lerp(shown, blurred, torch.rand(count, 1, 1, 1, generator=generator))
    noise = torch.randn(shown.shape, generator=generator) * torch.rand(count, 1, 1, 1, generator=generator)
    return shown + 0.15 * noise
