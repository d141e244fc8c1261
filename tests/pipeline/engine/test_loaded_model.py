"""A model in memory: what may share a call, what groups keep, what an image says of how it was made."""

from collections.abc import Callable

import pytest

from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.images.metadata import read
from pipeline.requests.batch_key import BatchKey
from pipeline.requests.image_request import ImageRequest
from tests.pipeline.conftest import a_request


@pytest.fixture
def model(loaded_model: Callable[[str], LoadedModel]) -> LoadedModel:
    return loaded_model("pocket")


def finished(model: LoadedModel, request: ImageRequest, key: BatchKey) -> bytes:
    """The image of a request that is alone in its group."""
    rendering = model.begin(request, ())
    model.denoiser.assign(model.memory(key), rendering, tuple(range(rendering.conditioning.rows)))
    while not rendering.sampler.finished:
        model.advance(key, [rendering])
    return model.finish(rendering, key).png()


def test_size_and_length_of_texts_decide_who_shares_a_call(model: LoadedModel) -> None:
    """Nothing else of a request does."""
    own = model.shape(a_request())

    assert own == model.shape(a_request(seed=9, steps=9, guidance_scale=1.0, prompt="an owl"))
    assert own != model.shape(a_request(width=128))
    assert own != model.shape(a_request(prompt="a very long prompt " * 30))


def test_a_text_that_is_too_long_is_refused(model: LoadedModel) -> None:
    """Before anything is drawn."""
    with pytest.raises(InvalidRequest):
        model.shape(a_request(prompt="word " * 1500))


def test_a_group_keeps_its_memory_until_it_is_forgotten(model: LoadedModel) -> None:
    """Others' memory goes."""
    shape = model.shape(a_request())
    kept, gone = BatchKey(shape=shape, bucket=2), BatchKey(shape=shape, bucket=4)
    first, second = model.memory(kept), model.memory(gone)

    model.forget({kept})

    assert model.memory(kept) is first
    assert model.memory(gone) is not second


def test_an_image_says_how_it_was_made(model: LoadedModel) -> None:
    """Its metadata are the request, and what rounds differently elsewhere."""
    request = a_request(steps=1)
    key = BatchKey(shape=model.shape(request), bucket=4)

    metadata = read(finished(model, request, key))

    assert metadata.made_from == request
    assert (metadata.model_name, metadata.model_hash) == (model.facts.name, model.facts.hash)
    assert (metadata.bucket, metadata.lora_pages, metadata.compiled) == (4, 0, False)
    assert dict(metadata.versions).keys() == {"limner", "torch", "diffusers", "transformers"}
