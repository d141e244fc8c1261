"""What a model's configs say and is not done here: refused before a weight is read, by its name."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.models.source import ModelSource
from tests.pipeline.models.published import SDXL, Published, save_configs
from tests.pipeline.models.variants import Variant, variants

REFUSED = [variant for variant in variants() if variant.bare]


@pytest.mark.parametrize("variant", REFUSED, ids=lambda variant: variant.name)
def test_a_model_that_is_drawn_otherwise_is_refused(variant: Variant, tmp_path: Path) -> None:
    """One sentence that names the key, the class or the pipeline, and says what to do."""
    folder = save_configs(variant.model, tmp_path / "model")

    with pytest.raises(UserError) as refusal:
        ModelSource.parse(str(folder)).facts()

    sentence = str(refusal.value)
    assert variant.words in sentence
    assert "choose" in sentence or "pull" in sentence
    assert "\n" not in sentence
    assert str(tmp_path) not in sentence


@pytest.mark.parametrize(
    "model",
    [
        SDXL.but(unet={"memory_blocks": None}),
        SDXL.but(vae={"memory": False}),
        SDXL.but(index={"ella": [None, None]}),
        SDXL.but(unet={"_memory": "of a tool"}),
    ],
)
def test_an_unknown_key_that_says_nothing_is_no_reason(model: Published, tmp_path: Path) -> None:
    """As the next version of diffusers will write it: the sentence is about the weights, which are not there."""
    folder = save_configs(model, tmp_path / "model")

    with pytest.raises(UserError, match="no safetensors weights"):
        ModelSource.parse(str(folder)).facts()


@pytest.mark.parametrize(
    ("part", "changes", "sentence"),
    [
        ("unet", {"cross_attention_dim": 48}, "sets cross_attention_dim to 48, but its text encoders say 64"),
        ("unet", {"projection_class_embeddings_input_dim": 72}, "to 72, where SDXL has 80"),
        ("unet", {"num_attention_heads": 8}, "num_attention_heads"),
        ("unet", {"down_block_types": ["DownBlock2D", "AttnDownBlock2D"]}, "AttnDownBlock2D"),
        ("index", {"text_encoder_2": [None, None]}, "comes without its second text encoder"),
        ("index", {"tokenizer": ["transformers", "T5Tokenizer"]}, "T5Tokenizer"),
        ("scheduler", {"variance_type": "learned_range"}, "variance_type"),
        ("scheduler", {"thresholding": True}, "thresholding"),
        ("scheduler", {"predict_x0": False}, "predict_x0"),
        ("scheduler", {"timestep_spacing": "logarithmic"}, "timestep_spacing to 'logarithmic'"),
        ("scheduler", {"timestep_spacing": None}, "timestep_spacing to None"),
        ("scheduler", {"beta_schedule": "sigmoid"}, "beta_schedule"),
        ("scheduler", {"solver_type": "rk4"}, "solver_type"),
        ("scheduler", {"algorithm_type": "dpmsolver"}, "algorithm_type"),
        ("scheduler", {"interpolation_type": "log_linear"}, "interpolation_type"),
        ("scheduler", {"final_sigmas_type": "least"}, "final_sigmas_type"),
        ("vae", {"scaling_factor": 0}, "scaling_factor to 0"),
        ("vae", {"latents_mean": [1.0, 2.0]}, "not to 4 numbers"),
        ("unet", {"addition_time_embed_dim": "8"}, "say what no model's do"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(
    part: str, changes: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    """Which would fail at the first step, or draw something else."""
    folder = save_configs(SDXL.but(**{part: changes}), tmp_path / "model")

    with pytest.raises(UserError, match=sentence):
        ModelSource.parse(str(folder)).facts()
