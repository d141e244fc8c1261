"""Batches of composed scenes as numbers, made by separate processes so that a GPU never waits for them."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import CLIPTokenizer

from recipes.pocket.architecture import NATIVE_SIZE
from recipes.pocket.aspects import SHARES
from recipes.pocket.composition import MOST_DRAWINGS, Composition, composition
from recipes.pocket.composition_captions import training_caption
from recipes.pocket.scenes import STYLES, Concept

_WORD = re.compile(r"[a-z0-9']+|[^\sa-z0-9']+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedBatch:
    """Scenes of one size as arrays, rows first."""

    width: int
    height: int
    places: np.ndarray
    """(rows, MOST_DRAWINGS, 5): x, y, side, tilt and -1 where mirrored."""

    drawings: np.ndarray
    """(rows, MOST_DRAWINGS): the index in the atlas, -1 for none."""

    backdrops: np.ndarray
    """(rows, 5): both colours, angle, offset, softness."""

    styles: np.ndarray
    coarse: np.ndarray
    size_numbers: np.ndarray
    ids: np.ndarray
    """(rows, tokens) of the captions."""

    wordless: np.ndarray
    """(rows,): whether guidance leaves the words out."""


class Words:
    """Token ids of captions; each word is read by the tokenizer once."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def ids(self, text: str) -> list[int]:
        """The ids as the pipeline's tokenizer gives them, padded to the context."""
        start, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        found = [token for word in _WORD.findall(text.lower()) for token in self._word(word)]
        length = self._tokenizer.model_max_length
        row = [start, *found[: length - 2], end]
        return row + [self._tokenizer.pad_token_id] * (length - len(row))

    def _word(self, word: str) -> list[int]:
        if word not in self._known:
            self._known[word] = self._tokenizer(word, add_special_tokens=False).input_ids
        return self._known[word]


def as_batch(scenes: list[Composition], captions: list[str | None], words: Words) -> ComposedBatch:
    """The scenes, all of one size, with their captions."""
    places = np.zeros((len(scenes), MOST_DRAWINGS, 5), dtype=np.float32)
    drawings = np.full((len(scenes), MOST_DRAWINGS), -1, dtype=np.int64)
    for row, scene in enumerate(scenes):
        for layer, one in enumerate(scene.drawings):
            places[row, layer] = (one.x, one.y, one.side, one.tilt, -1 if one.mirrored else 1)
            drawings[row, layer] = one.concept * len(STYLES) + scene.style
    backs = [scene.backdrop for scene in scenes]
    return ComposedBatch(
        width=scenes[0].width,
        height=scenes[0].height,
        places=places,
        drawings=drawings,
        backdrops=np.array([(b.first, b.second, b.angle, b.offset, b.softness) for b in backs], dtype=np.float32),
        styles=np.array([scene.style for scene in scenes]),
        coarse=np.array([scene.coarseness > 1 for scene in scenes]),
        size_numbers=np.array([scene.size_numbers for scene in scenes], dtype=np.float32),
        ids=np.array([words.ids(caption or "") for caption in captions]),
        wordless=np.array([caption is None for caption in captions]),
    )


class Scenes(IterableDataset[ComposedBatch]):
    """Endless random batches, each of one random size and of about `batch` times NATIVE_SIZE squared pixels."""

    def __init__(
        self, concepts: list[Concept], tokenizer: CLIPTokenizer, batch: int, seed: int, *, crowd: bool = True
    ) -> None:
        super().__init__()
        self._concepts = concepts
        self._words = Words(tokenizer)
        self._batch = batch
        self._seed = seed
        self._crowd = crowd

    def __iter__(self) -> Iterator[ComposedBatch]:
        worker = get_worker_info()
        rng = random.Random(self._seed * 1009 + (worker.id if worker else 0))  # noqa: S311 (chance, not secrecy)
        sizes, shares = zip(*SHARES.items(), strict=True)
        while True:
            size = rng.choices(sizes, shares)[0]
            rows = max(1, round(self._batch * NATIVE_SIZE**2 / (size[0] * size[1])))
            scenes = [composition(size, len(self._concepts), rng) for _ in range(rows)]
            captions = [training_caption(scene, self._concepts, rng) for scene in scenes]
            yield as_batch(scenes, captions, self._words)


def batches(scenes: Scenes, workers: int) -> Iterator[ComposedBatch]:
    """The batches, in as many processes as there are `workers`; with none, in this one."""
    if not workers:
        return iter(scenes)
    return iter(DataLoader(scenes, batch_size=None, num_workers=workers, prefetch_factor=4))
