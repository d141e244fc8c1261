"""The words that the text encoders know: a byte-level BPE vocabulary over the captions, in CLIP's format."""

import json

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from recipes.pocket.captions import BACKGROUND_NAMES, STYLE_NAMES
from recipes.pocket.scenes import Concept

CONTEXT = 77
VOCABULARY = 2000
END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"


def build_tokenizer(concepts: list[Concept], vocabulary: int = VOCABULARY) -> CLIPTokenizer:
    """A CLIP tokenizer whose merges cover the concepts', the styles' and the backgrounds' words."""
    alphabet = sorted(ByteLevel.alphabet())
    base = alphabet + [letter + END_OF_WORD for letter in alphabet]
    merges = _merges(_texts(concepts), limit=vocabulary - len(base) - 2)
    tokens = list(dict.fromkeys([*base, *("".join(pair) for pair in merges), START, END]))
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, merges=merges, model_max_length=CONTEXT
    )


def _texts(concepts: list[Concept]) -> list[str]:
    words = [word for concept in concepts for word in concept.words]
    return words + ["a an style background", *STYLE_NAMES, *BACKGROUND_NAMES] * len(words)


def _merges(texts: list[str], limit: int) -> list[tuple[str, str]]:
    trained = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    trained.normalizer = normalizers.Lowercase()
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    letters = len(ByteLevel.alphabet())
    trained.train_from_iterator(
        texts,
        # The trainer counts the letters, alone and at a word's end, among its tokens.
        trainers.BpeTrainer(
            vocab_size=limit + 2 * letters,
            initial_alphabet=ByteLevel.alphabet(),
            end_of_word_suffix=END_OF_WORD,
            show_progress=False,
        ),
    )
    return _read_merges(trained)[:limit]


def _read_merges(trained: Tokenizer) -> list[tuple[str, str]]:
    return [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
