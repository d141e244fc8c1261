"""Depth maps, by a tiny model of the real architecture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from pipeline.depth_map import DepthMap
from pipeline.errors import UserError


def tiny(folder: Path, **options: Any) -> Path:
    """A model with random weights, the same every time."""
    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=28,
        patch_size=14,
        out_features=["stage1", "stage2"],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=16,
        reassemble_factors=[2, 1],
        neck_hidden_sizes=[8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        **options,
    )
    model = DepthAnythingForDepthEstimation(config)
    # Random outputs that the last ReLU would cut off show nothing.
    torch.nn.init.constant_(model.head.conv3.bias, 1.0)
    model.save_pretrained(folder)
    return folder


def scene() -> np.ndarray:
    pixels = np.zeros((60, 100, 3), dtype=np.uint8)
    pixels[20:50, 30:80] = (200, 90, 30)
    return pixels


def test_a_map_has_the_size_of_its_picture_spans_all_levels_and_is_the_same_every_time(tmp_path: Path) -> None:
    """From the farthest to the nearest."""
    draw = DepthMap(tiny(tmp_path))

    depth = draw(scene())

    assert depth.shape == (60, 100)
    assert (depth.min(), depth.max()) == (0, 255)
    assert np.array_equal(depth, draw(scene()))


def test_metres_and_nearness_give_opposite_orders_one_way_round(tmp_path: Path) -> None:
    """The same head read as metres: what it calls larger is farther, thus darker."""
    nearness = DepthMap(tiny(tmp_path / "a"))(scene()).astype(float)
    metres = DepthMap(tiny(tmp_path / "b", depth_estimation_type="metric", max_depth=20))(scene()).astype(float)

    assert np.corrcoef(nearness.ravel(), metres.ravel())[0, 1] < -0.9


def test_the_model_sees_the_proportions_in_whole_patches(tmp_path: Path) -> None:
    """The shorter side 518, the longer the nearest multiple of 14."""
    draw = DepthMap(tiny(tmp_path))

    assert draw._prepared(scene()).shape == (1, 3, 518, 868)
    assert draw._prepared(scene().transpose(1, 0, 2)).shape == (1, 3, 868, 518)


def test_a_picture_without_differences_has_a_map(tmp_path: Path) -> None:
    """Of finite levels, not of divisions by nothing."""
    assert DepthMap(tiny(tmp_path))(np.full((20, 20, 3), 128, dtype=np.uint8)).shape == (20, 20)


@pytest.mark.parametrize("damage", ["absent", "empty", "torn"])
def test_without_a_whole_model_one_sentence_says_what_to_do(tmp_path: Path, damage: str) -> None:
    """And names the folder."""
    folder = tmp_path / "model"
    if damage == "empty":
        folder.mkdir()
    if damage == "torn":
        weights = tiny(folder) / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])

    with pytest.raises(UserError, match=r"put its config\.json and model\.safetensors in .*model"):
        DepthMap(folder)
