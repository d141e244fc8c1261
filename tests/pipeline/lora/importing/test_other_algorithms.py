"""Algorithms that are not read are called by their own names."""

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.lora.importing.importer import ImportBase
from pipeline.lora.importing.other_algorithms import refuse_other_config, refuse_other_tensors
from tests.pipeline.lora.importing.test_importer import imported

LAYER = "base_model.model.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.conditioning1.0.weight", "ControlNet-LLLite"),
        ("lora_unet_mid_block_attentions_0_proj_in.q_layer.weight", "T-LoRA"),
        (f"{LAYER}.oft_R.weight", "PEFT's OFT"),
        (f"{LAYER}.boft_s", "PEFT's BOFT"),
        (f"{LAYER}.vera_lambda_b", "VeRA"),
        (f"{LAYER}.hra_u", "HRA"),
        (f"{LAYER}.ia3_l", "PEFT's (IA)^3"),
        (f"{LAYER}.fourierft_spectrum", "FourierFT"),
        (f"{LAYER}.miss_block", "MiSS"),
        (f"{LAYER}.randlora_lambda", "RandLoRA"),
        (f"{LAYER}.delora_A", "DeLoRA"),
        (f"{LAYER}.gralora_A", "GraLoRA"),
        (f"{LAYER}.road_theta", "RoAd"),
        (f"{LAYER}.waveft_spectrum", "WaveFT"),
        (f"{LAYER}.lora_E", "AdaLoRA"),
        (f"{LAYER}.lily_A.weight", "Lily"),
        (f"{LAYER}.osf_svd_params.U_low", "OSF"),
        (f"{LAYER}.shira_weight", "SHiRA"),
        (f"{LAYER}.lokr_w1", "PEFT's LoKr"),
    ],
)
def test_a_tensor_tells_its_algorithm(base: ImportBase, tmp_path: Path, name: str, algorithm: str) -> None:
    """With its config or without it."""
    with pytest.raises(UserError) as refused:
        imported({name: torch.ones(2, 4)}, base, tmp_path)

    assert f"This file is {algorithm}, which Limner cannot read" in str(refused.value)


def test_lycoris_own_parts_are_none_of_them() -> None:
    refuse_other_tensors(
        f"lora_unet_mid_block_attentions_0_proj_in.{part}"
        for part in ("lora_down.weight", "hada_w1_a", "lokr_w1", "oft_blocks", "rescale", "a1.weight", "dora_scale")
    )


def test_a_config_cannot_speak_through_the_sentence() -> None:
    """What it calls its algorithm is cut and cleaned."""
    with pytest.raises(UserError) as refused:
        refuse_other_config({"peft_type": "<@everyone> " + "x" * 99})

    assert "PEFT's EVERYONE XXXXXXXXXXX," in str(refused.value)
