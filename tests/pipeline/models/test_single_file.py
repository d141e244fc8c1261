"""One-file checkpoints: the same weights as the folder that they were written from, or one sentence."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import UserError
from pipeline.models.checkpoint import Checkpoint, load_checkpoint
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from tests.pipeline.ldm_checkpoint import save_checkpoint


def _load(path: Path) -> Checkpoint:
    return load_checkpoint(ModelSource.parse(str(path)), Hardware.choose("cpu"))


def test_a_checkpoint_holds_the_very_weights_of_its_folder(folder: Path) -> None:
    """Every tensor of UNet, VAE and text encoders, bit for bit."""
    path = folder.with_suffix(".safetensors")
    save_checkpoint(folder, path)

    from_folder, from_file = _load(folder), _load(path)

    assert from_file.facts.family is from_folder.facts.family
    for ours, theirs in zip(_modules(from_file), _modules(from_folder), strict=True):
        expected = theirs.state_dict()
        assert ours.state_dict().keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in ours.state_dict().items())


def _modules(checkpoint: Checkpoint) -> list[torch.nn.Module]:
    return [checkpoint.unet, checkpoint.vae, *(encoder.model for encoder in checkpoint.text_encoders)]


def test_a_velocity_model_says_so_in_its_file(folder: Path) -> None:
    """The empty tensors that trainers add decide the scheduler's settings."""
    path = folder.with_suffix(".safetensors")
    save_checkpoint(folder, path, v_pred=torch.tensor([]), ztsnr=torch.tensor([]))

    config = _load(path).scheduler_config

    assert (config["prediction_type"], config["rescale_betas_zero_snr"]) == ("v_prediction", True)


@pytest.mark.parametrize("lost", ["model.diffusion_model.input_blocks.1.0.in_layers.2.weight", "first_stage_model."])
def test_a_checkpoint_that_lacks_something_is_refused(folder: Path, lost: str) -> None:
    """Half a model draws noise; a sentence is better."""
    path = folder.with_suffix(".safetensors")
    save_checkpoint(folder, path)
    save_file({name: value for name, value in load_file(path).items() if not name.startswith(lost)}, path)

    with pytest.raises(UserError) as refusal:
        _load(path)

    assert str(refusal.value).count("\n") == 0
