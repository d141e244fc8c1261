"""Files that become canonical ones, and files that cost one sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.change import Change, Factors
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from pipeline.lora.importing.layer_names import LayerNames
from pipeline.lora.importing.lowering import balanced, lower
from pipeline.lora.importing.report import ImportReport, clean, trigger_words
from tests.pipeline.lora.importing.measuring import base_of

Tensors = dict[str, Tensor]
Q = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
IN, OUT = 64, 64
NORM, CHANNELS = "lora_unet_down_blocks_1_resnets_0_norm1", 32


@pytest.fixture
def base(model_folder: Callable[[str], Path]) -> ImportBase:
    return base_of(model_folder("nano"), ModelFamily.SDXL)


def halves(layer: str = Q, *, rank: int = 4, width: int = IN, out: int = OUT) -> Tensors:
    generator = torch.Generator().manual_seed(rank)
    return {
        f"{layer}.lora_down.weight": torch.randn(rank, width, generator=generator) * 0.1,
        f"{layer}.lora_up.weight": torch.randn(out, rank, generator=generator) * 0.1,
    }


def imported(tensors: Tensors, base: ImportBase, folder: Path, metadata: dict[str, str] | None = None) -> ImportReport:
    save_file(tensors, folder / "lora.safetensors", metadata=metadata)
    return import_lora(Upload(path=folder / "lora.safetensors", word="lora"), base, folder / "canonical.safetensors")


def foreign(*names: str, width: int = 8) -> Tensors:
    return {key: tensor for name in names for key, tensor in halves(name, width=width).items()}


def cross(width: int) -> Tensors:
    return halves("lora_unet_down_blocks_2_attentions_0_transformer_blocks_0_attn2_to_k", width=width)


REFUSALS: dict[str, tuple[Tensors, str]] = {
    "FLUX": (
        foreign("lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_single_blocks_3_linear1"),
        "for FLUX.1; this server runs SDXL",
    ),
    "FLUX by diffusers": (foreign("transformer.single_transformer_blocks.0.attn.to_q"), "for FLUX.1"),
    "FLUX.2": (foreign("diffusion_model.double_stream_modulation_img.lin"), "for FLUX.2"),
    "SD 3": (foreign("lora_unet_joint_blocks_0_x_block_attn_qkv"), "for SD 3"),
    "SD 3 by diffusers": (foreign("transformer.transformer_blocks.0.attn.add_q_proj"), "for SD 3"),
    "Qwen": (foreign("transformer.transformer_blocks.0.img_mlp.net.2"), "for Qwen-Image"),
    "Wan": (foreign("diffusion_model.blocks.0.self_attn.q"), "for Wan"),
    "Hunyuan": (foreign("diffusion_model.double_blocks.0.img_mod.linear"), "for HunyuanVideo"),
    "Cascade": (foreign("lora_prior_unet_down_blocks_0"), "for Stable Cascade"),
    "Z-Image": (foreign("diffusion_model.layers.0.attention.to_q"), "for Z-Image"),
    "SD 1.5": (cross(768), "for SD 1.5"),
    "SD 2": (cross(1024), "for SD 2"),
    "refiner": (cross(1280), "for the SDXL refiner"),
    "another size": (cross(96), "do not fit that layer's shape"),
    "unknown": (foreign("blah.foo"), "changes nothing that SDXL has"),
    "leftovers": (halves() | foreign("lora_unet_nowhere"), "1 of this file's 2 layers are not in SDXL"),
    "unknown kind": (
        halves() | {"lora_unet_x.set_weight": torch.ones(2)},
        "unknown kind, such as lora_unet_x.set_weight",
    ),
    "up without down": ({f"{Q}.lora_up.weight": torch.ones(OUT, 4)}, "without lora_down.weight"),
    "down without up": ({f"{Q}.lora_down.weight": torch.ones(4, IN)}, "without lora_up.weight"),
    "alpha alone": ({f"{Q}.alpha": torch.ones(())}, "no known algorithm"),
    "NaN": (halves() | {f"{Q}.alpha": torch.tensor(float("nan"))}, "NaN"),
    "infinite": ({name: t * float("inf") for name, t in halves().items()}, "NaN"),
    "exploding": (halves() | {f"{Q}.alpha": torch.tensor(1e10)}, "times its own weight"),
    "checkpoint": ({"model.diffusion_model.input_blocks.0.0.weight": torch.ones(8, 4, 3, 3)}, "a whole checkpoint"),
    "UNet": (
        {"down_blocks.0.resnets.0.conv1.weight": torch.ones(8, 8, 3, 3), "conv_in.weight": torch.ones(8, 4, 3, 3)},
        "a model's own weights",
    ),
    "ControlNet": ({"controlnet_cond_embedding.conv_in.weight": torch.ones(8, 3, 3, 3)}, "a ControlNet"),
    "Control-LoRA": (halves() | {"lora_controlnet": torch.ones(1)}, "a ControlNet"),
    "VAE": (
        {"encoder.conv_in.weight": torch.ones(8, 3, 3, 3), "decoder.conv_in.weight": torch.ones(8, 4, 3, 3)},
        "a VAE",
    ),
    "upscaler": ({"model.1.sub.0.RDB1.conv1.0.weight": torch.ones(8, 8, 3, 3)}, "an upscaler"),
    "IP-Adapter": ({"image_proj.proj.weight": torch.ones(8, 8)}, "an IP-Adapter"),
    "T2I-Adapter": ({"adapter.body.0.block1.weight": torch.ones(8, 8)}, "a T2I-Adapter"),
    "motion": ({"down_blocks.0.motion_modules.0.norm.weight": torch.ones(8, 8)}, "an animation module"),
    "quantised": (halves() | {f"{Q}.absmax": torch.ones(4)}, "quantised"),
    "two adapters": (
        {f"unet.conv_in.lora_A.{name}.weight": torch.ones(2, 4, 3, 3) for name in ("a", "b")},
        "several adapters",
    ),
    "two names": (
        halves()
        | {f"unet.{n}": t for n, t in halves("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q").items()},
        "twice",
    ),
    "exploding norms": ({f"{NORM}.w_norm": torch.full((CHANNELS,), 1e5)}, "times its own weight"),
    "exploding biases": ({f"{NORM}.b_norm": torch.full((CHANNELS,), 1e5)}, "would break pictures"),
    "nothing but zeros": ({f"{NORM}.w_norm": torch.zeros(CHANNELS)}, "changes nothing"),
    "a textual inversion of another width": (
        {"emb_params": torch.ones(2, 768)},
        "made for another base: it has vectors of 768, SDXL takes 32 and 32",
    ),
    "a textual inversion for an unnamed encoder": (
        {"emb_params": torch.ones(2, 32)},
        "made for another base",
    ),
    "halves of a textual inversion": ({"clip_l": torch.ones(2, 32), "clip_g": torch.ones(3, 32)}, "unequal numbers"),
    "NaN in a textual inversion": (
        {"clip_l": torch.full((2, 32), float("nan")), "clip_g": torch.ones(2, 32)},
        "NaN",
    ),
    "a textual inversion without a name": (
        halves() | {f"bundle_emb.<>.clip_{which}": torch.ones(2, 32) for which in "lg"},
        "no name that can stand in a prompt",
    ),
    "mixed parts": (halves() | {f"{Q}.oft_blocks": torch.ones(2, 4, 4)}, "no known algorithm"),
    "half a LoHa": ({f"{Q}.hada_w1_a": torch.ones(4, 4)}, "has hada_w1_a without hada_w1_b"),
}


def test_norms_alone_are_a_lora(base: ImportBase, tmp_path: Path) -> None:
    """They are stored to the bit, and nothing is lost."""
    own = torch.linspace(-1, 1, CHANNELS)

    report = imported({f"{NORM}.w_norm": own, f"{NORM}.b_norm": 2 * own}, base, tmp_path)

    stored = load_file(tmp_path / "canonical.safetensors")
    name = "unet.down_blocks.1.resnets.0.norm1"
    assert stored.keys() == {f"{name}.gain", f"{name}.bias"}
    assert torch.equal(stored[f"{name}.gain"], own)
    assert torch.equal(stored[f"{name}.bias"], 2 * own)
    assert (report.layers, report.ranks, report.needs_word) == (1, (0, 0), False)


class TestRefusals:
    """One sentence, and nothing is written."""

    @pytest.mark.parametrize(("tensors", "words"), REFUSALS.values(), ids=list(REFUSALS))
    def test_the_sentence_fits_the_file(self, base: ImportBase, tmp_path: Path, tensors: Tensors, words: str) -> None:
        """At most 200 characters, on one line, and says what is wrong."""
        with pytest.raises(UserError) as caught:
            imported(tensors, base, tmp_path)

        assert words in str(caught.value)
        assert len(str(caught.value)) <= 200
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == [tmp_path / "lora.safetensors"]

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ("{", "damaged"),
            ("[]", "damaged"),
            ('{"peft_type": "LOKR"}', "PEFT's LOKR"),
            ('{"lora_alpha": 8, "alpha_pattern": {"(a+)+$": 1}}', "patterns"),
            ('{"lora_alpha": 1e999}', "usable number"),
            ('{"lora_alpha": true}', "usable number"),
        ],
    )
    def test_a_bad_adapter_config_is_refused(self, base: ImportBase, tmp_path: Path, config: str, words: str) -> None:
        """Neither guessed at nor run as a regular expression."""
        with pytest.raises(UserError, match=words):
            imported(halves(), base, tmp_path, {"adapter_config": config})


class TestReport:
    """What the card is made of."""

    def test_it_tells_what_the_file_is(self, base: ImportBase, tmp_path: Path) -> None:
        """Layout, algorithm, layers, ranks, hash, words, licence."""
        tags = {"10_cat": {"my cat": 20, "sitting": 3, "red": 12}}
        metadata = {"ss_tag_frequency": json.dumps(tags), "modelspec.license": "CC0"}

        report = imported(halves(), base, tmp_path, metadata)

        assert (report.layout, report.algorithms, report.matched) == ("kohya", ("LoRA",), "1 of 1")
        assert report.ranks == (4, 4)
        assert report.residual == 0.0
        assert not report.needs_word
        assert report.rounding < 1e-3
        assert report.trigger_words == ("my cat", "red")
        assert report.licence == "CC0"
        assert len(report.sha256) == 64
        assert report.size == (tmp_path / "lora.safetensors").stat().st_size

    def test_the_engine_can_open_what_is_written(self, base: ImportBase, tmp_path: Path) -> None:
        """The canonical file is one by the engine's own check."""
        imported(halves(), base, tmp_path)

        file = LoraFile.open(tmp_path / "canonical.safetensors")

        assert list(file.layers) == ["unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"]
        assert file.family is ModelFamily.SDXL

    def test_a_textual_inversion_is_reported_and_written(self, base: ImportBase, tmp_path: Path) -> None:
        """It changes no weight; one without a name of its own is called as the upload is."""
        report = imported({"clip_l": torch.ones(3, 32), "clip_g": torch.ones(3, 32)}, base, tmp_path)

        assert report.layout == "textual inversion"
        assert [(e.trigger, e.vectors, set(e.tensors)) for e in report.embeddings] == [
            ("lora", 3, {"text_encoder", "text_encoder_2"})
        ]
        file = LoraFile.open(tmp_path / "canonical.safetensors")
        assert (file.words, file.layers) == (("lora",), {})
        assert torch.equal(load_file(file.path)[file.word_tensors(0)["text_encoder_2"]], torch.ones(3, 32))

    def test_bundled_textual_inversions_are_reported_beside_the_layers(self, base: ImportBase, tmp_path: Path) -> None:
        """With their triggers, which are the words to use where the metadata name none."""
        vectors = {f"bundle_emb.my.<(cat)>.clip_{which}": torch.ones(2, 32) for which in "lg"}

        report = imported(halves() | vectors, base, tmp_path, {"modelspec.trigger_phrase": "wax"})

        assert report.layers == 1
        assert [embedding.trigger for embedding in report.embeddings] == ["my. cat"]
        assert report.trigger_words == ("my. cat", "wax")
        assert LoraFile.open(tmp_path / "canonical.safetensors").words == ("my. cat",)

    def test_untrusted_words_lose_what_a_chat_would_obey(self) -> None:
        """Mentions, LoRA tags, control and zero-width characters."""
        assert trigger_words({"modelspec.trigger_phrase": "@everyone, <lora:x:9>,\u200b a  b\n, "}) == (
            "everyone",
            "lora:x:9",
            "a b",
        )
        assert clean("x" * 99, 5) == "xxxxx"

    @pytest.mark.parametrize("tags", ["", "[", "[1]", '{"a": 3}', '{"a": {"b": "many"}}', '{"a": {"b": 1e999}}'])
    def test_damaged_tags_are_no_tags(self, tags: str) -> None:
        """A trainer's count of tags is only a hint."""
        assert trigger_words({"ss_tag_frequency": tags}) == ()


class TestLowering:
    """What a canonical file holds of a change."""

    def test_a_dense_change_is_cut_at_the_best_factors(self) -> None:
        """The residual that is told is the one that is there, and no rank 256 product has a smaller one."""
        weight = torch.randn(400, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        layer = BaseLayer(name="unet.wide", kind=LayerKind.LINEAR, shape=(400, 300), bias=False)

        lowered = lower(Change(dense=weight), layer, lambda: weight)

        assert lowered is not None
        assert lowered.factors.rank == 256
        singular = torch.linalg.svdvals(weight)
        assert lowered.residual == pytest.approx(float(singular[256:].norm()), rel=1e-6)
        assert float((lowered.factors.weight - weight).norm()) == pytest.approx(lowered.residual, rel=1e-6)

    def test_a_dense_change_of_low_rank_keeps_that_rank(self) -> None:
        """No rank is spent on what rounding takes."""
        weight = torch.randn(50, 3, dtype=torch.float64) @ torch.randn(3, 40, dtype=torch.float64)

        layer = BaseLayer(name="unet.wide", kind=LayerKind.LINEAR, shape=(50, 40), bias=False)

        lowered = lower(Change(dense=weight), layer, lambda: weight)

        assert lowered is not None
        assert lowered.factors.rank == 3

    def test_a_wide_dense_change_needs_its_members_word(self, base: ImportBase, tmp_path: Path) -> None:
        """A random difference of a layer with 512 rows and columns loses more than two per cent at rank 256."""
        wide = replace(base.layers["unet.mid_block.attentions.0.proj_out"], shape=(512, 512))
        wider = replace(base, names=LayerNames.of({wide.name: wide}))

        report = imported(
            {"lora_unet_mid_block_attentions_0_proj_out.diff": torch.randn(512, 512) * 0.01}, wider, tmp_path
        )

        assert report.ranks == (256, 256)
        assert 0.2 < report.residual < 0.5
        assert report.needs_word

    def test_halves_of_very_different_size_survive_half_precision(self, base: ImportBase, tmp_path: Path) -> None:
        """A down half of millions and an up half of millionths lose no more than others."""
        tensors = halves()
        down, up = tensors.values()
        scaled = dict(zip(tensors, (down * 1e7, up * 1e-7), strict=True))

        report = imported(scaled, base, tmp_path)

        assert report.rounding < 1e-3
        stored = load_file(tmp_path / "canonical.safetensors")
        assert all(bool(tensor.isfinite().all()) for tensor in stored.values())

    def test_balancing_loses_nothing(self) -> None:
        """It multiplies and divides by powers of two."""
        factors = Factors(up=torch.randn(6, 2).double() * 1e-9, down=torch.randn(2, 5).double() * 1e9)

        assert torch.equal(balanced(factors).weight, factors.weight)
