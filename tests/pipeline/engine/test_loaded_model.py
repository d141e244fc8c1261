"""A model in memory: what may share a call, what groups keep, what an image says of how it was made."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.images.metadata import read
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.batch_key import BatchKey
from pipeline.requests.image_request import ImageRequest
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.ldm_checkpoint import save_checkpoint


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


def test_the_hash_of_a_model_in_one_file_is_the_files(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """As Civitai and AUTOMATIC1111 know it."""
    shutil.copytree(model_folder("sd15"), tmp_path / "tiny")
    file = tmp_path / "tiny.safetensors"
    save_checkpoint(tmp_path / "tiny", file)
    model = LoadedModel(ModelSource.parse(str(file)), Hardware.choose("cpu"), SPEC)
    request = a_request(model="tiny", steps=1, guidance_scale=1.0)

    png = finished(model, request, BatchKey(shape=model.shape(request), bucket=1))

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert read(png).model_hash == digest[:10] != model.facts.hash
    assert f"Model hash: {digest[:10]}, " in read(png).parameters()
