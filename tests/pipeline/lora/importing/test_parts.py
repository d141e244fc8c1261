"""The role of a tensor, by its name in every spelling."""

import pytest
import torch

from pipeline.lora.importing.parts import TensorRole, shaped, split_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unet.a.attn1.processor.to_out_lora.up.weight", ("unet.a.attn1.to_out.0", TensorRole.UP)),
        ("text_encoder.0.self_attn.to_q_lora.down.weight", ("text_encoder.0.self_attn.q_proj", TensorRole.DOWN)),
        ("base_model.model.a.lora_A.default.weight", ("base_model.model.a", TensorRole.DOWN)),
        ("base_model.model.a.lora_magnitude_vector.default.weight", ("base_model.model.a", TensorRole.MAGNITUDE)),
        ("lora_unet_a.a1.weight", ("lora_unet_a", TensorRole.GLORA_A_UP)),
        ("lora_unet_a.weight", ("lora_unet_a", TensorRole.GAIN)),
        ("lora_unet_a.lora_up.bias", None),
        ("clip_g", None),
    ],
)
def test_a_tensors_name_tells_layer_and_part(name: str, expected: tuple[str, TensorRole] | None) -> None:
    """In every spelling."""
    assert split_name(name) == expected


@pytest.mark.parametrize("name", ["lora_magnitude_vector", "lora_magnitude_vector.default.weight", "magnitude"])
def test_pefts_magnitude_is_always_of_the_outputs(name: str) -> None:
    """A convolution's is (1, out, 1, 1) there, which in LyCORIS's files is (1, in, 1, 1)."""
    vector = torch.ones(1, 8, 1, 1)

    assert shaped(vector, f"x.{name}", TensorRole.MAGNITUDE).shape == (8,)
    assert shaped(vector, "x.dora_scale", TensorRole.MAGNITUDE).shape == (1, 8, 1, 1)
    assert shaped(vector, "x.lora_up.weight", TensorRole.UP).shape == (1, 8, 1, 1)
