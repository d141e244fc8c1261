"""The annotators' models in their real classes, tiny, with random weights that are the same every time."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    ConvNextConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    UperNetConfig,
    UperNetForSemanticSegmentation,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    YolosConfig,
    YolosForObjectDetection,
)

from pipeline.control.annotator_models import MODELS
from pipeline.requests.control import ControlKind


def tiny_depth(folder: Path, **options: Any) -> Path:
    """Depth Anything."""
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


def tiny_persons(folder: Path, *, found: bool = True) -> Path:
    """YOLOS that sees persons everywhere, or nowhere."""
    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=[64, 64],
        patch_size=16,
        num_detection_tokens=3,
        id2label={0: "N/A", 1: "person"},
        label2id={"N/A": 0, "person": 1},
    )
    model = YolosForObjectDetection(config)
    with torch.no_grad():
        model.class_labels_classifier.layers[-1].bias[1] = 20.0 if found else -20.0
    model.save_pretrained(folder)
    return folder


def tiny_pose(folder: Path, *, sure: bool = True) -> Path:
    """ViTPose that sees every point, or none."""
    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=[256, 192],
        patch_size=[16, 16],
        out_features=["stage1"],
        num_experts=1,
    )
    model = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=True))
    torch.nn.init.constant_(model.head.conv.bias, 5.0 if sure else -5.0)
    model.save_pretrained(folder)
    return folder


def tiny_segment(folder: Path, classes: int = 150) -> Path:
    """UperNet."""
    torch.manual_seed(0)
    backbone = ConvNextConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = UperNetConfig(backbone_config=backbone, hidden_size=16, use_auxiliary_head=False, num_labels=classes)
    UperNetForSemanticSegmentation(config).save_pretrained(folder)
    return folder


_MAKERS: Mapping[ControlKind, tuple[Callable[[Path], Path], ...]] = {
    ControlKind.DEPTH: (tiny_depth,),
    ControlKind.NORMAL: (tiny_depth,),
    ControlKind.POSE: (tiny_persons, tiny_pose),
    ControlKind.SEGMENT: (tiny_segment,),
}


def put_into_cache(cache: Path, kind: ControlKind) -> tuple[Path, ...]:
    """Put the models that draw `kind` where the Hub's own client looks for them; returns their folders."""
    folders = []
    for model, make in zip(MODELS[kind], _MAKERS[kind], strict=True):
        folder = cache / f"models--{model.repository.replace('/', '--')}" / "snapshots" / model.revision
        folders.append(make(folder))
    return tuple(folders)
