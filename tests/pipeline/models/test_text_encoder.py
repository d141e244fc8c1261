"""A text as tokens: one window, whatever its length, and vectors in force only where they are asked for."""

from collections.abc import Callable

import pytest
import torch

from pipeline.engine.loaded_model import LoadedModel
from pipeline.models.text_encoder import TextEncoder
from pipeline.models.textual_inversion import TextualInversion


@pytest.fixture
def encoder(loaded_model: Callable[[str], LoadedModel]) -> TextEncoder:
    return loaded_model("pocket")._encoder._encoders[0]


def test_a_text_is_cut_to_one_window(encoder: TextEncoder) -> None:
    """And filled up to it; 75 tokens fit between its begin and its end."""
    for words, fits in ((1, True), (75, True), (76, False)):
        text = " ".join(["fox"] * words)

        assert encoder.tokens(text).shape == (1, 77)
        assert encoder.has_room_for(text) is fits


def test_a_word_without_vectors_for_this_encoder_stays_words(encoder: TextEncoder) -> None:
    """Another encoder may know it."""
    width = encoder.model.config.hidden_size
    mine, others = (
        TextualInversion(text="cat-toy", vectors={network: torch.ones(2, width)})
        for network in (encoder.network, "another")
    )

    assert encoder.inverted("a cat-toy", [others]).text == "a cat-toy"
    assert "cat-toy" not in encoder.inverted("a cat-toy", [mine]).text
