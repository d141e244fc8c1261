"""The machine under an engine: a device or memory that is not there is one sentence."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from tests.pipeline.models.loading import load


def test_too_little_memory_is_one_sentence(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it needs and what there is."""
    monkeypatch.setattr(Hardware, "free_bytes", lambda _: 1000)

    with pytest.raises(UserError, match=r"needs about .* GB on cpu and 0\.0 GB are free"):
        load(copy)


@pytest.mark.parametrize("name", ["tpu", "cuda:7"])
def test_a_device_that_is_not_there_is_one_sentence(name: str) -> None:
    """With what may be used."""
    with pytest.raises(UserError, match=f"Device '{name}'"):
        Hardware.choose(name)


def test_convolutions_lie_as_their_device_reads_them(copy: Path) -> None:
    """Channels last where that is faster, contiguous where a norm would copy it."""
    gpu = Hardware(device=torch.device("cuda"), dtype=torch.bfloat16, vae_dtype=torch.bfloat16)

    assert (Hardware.choose("cpu").layout, gpu.layout) == (torch.channels_last, torch.contiguous_format)
    loaded = load_checkpoint(ModelSource.parse(str(copy)), Hardware.choose("cpu"))
    assert loaded.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_model_larger_than_all_memory_is_refused() -> None:
    """The sentence names what it needs and what there is."""
    huge = replace(ModelSource.parse("pocket").facts(), parameters=10**15)

    with pytest.raises(UserError, match=r"needs about 5000000\.0 GB"):
        Hardware.choose("cpu").home(huge)
