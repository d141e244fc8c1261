"""Files that become canonical ones, judged by LyCORIS and by the engine, and files that cost one sentence."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.engine.engine import Engine
from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from pipeline.lora.importing.report import ImportReport
from pipeline.requests.image_request import LoraUse
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.lora.importing.formats import FORMATS, Format, Written, load_networks, module_of, write
from tests.pipeline.lora.importing.measuring import FAMILIES, base_of, measure
from tests.pipeline.lora.serving.test_layers import final_latents

Tensors = dict[str, Tensor]
Q = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
IN, OUT = 64, 64
NORM, CHANNELS = "lora_unet_down_blocks_1_resnets_0_norm1", 32


def halves(layer: str = Q, *, rank: int = 4, width: int = IN, out: int = OUT) -> Tensors:
    generator = torch.Generator().manual_seed(rank)
    return {
        f"{layer}.lora_down.weight": torch.randn(rank, width, generator=generator) * 0.1,
        f"{layer}.lora_up.weight": torch.randn(out, rank, generator=generator) * 0.1,
    }


def imported(tensors: Tensors, base: ImportBase, folder: Path, metadata: dict[str, str] | None = None) -> ImportReport:
    save_file(tensors, folder / "lora.safetensors", metadata=metadata)
    return import_lora(Upload(path=folder / "lora.safetensors", word="lora"), base, folder / "canonical.safetensors")


def foreign(*names: str, width: int = 8, out: int = OUT) -> Tensors:
    return {key: tensor for name in names for key, tensor in halves(name, width=width, out=out).items()}


def cross(width: int) -> Tensors:
    return halves("lora_unet_down_blocks_2_attentions_0_transformer_blocks_0_attn2_to_k", width=width)


REFUSALS: dict[str, tuple[Tensors, str]] = {
    "FLUX": (
        foreign("lora_unet_double_blocks_0_img_mod_lin", width=3072, out=18432),
        "for FLUX.1; this server runs SDXL",
    ),
    "Cascade": (foreign("lora_prior_unet_down_blocks_0_2_channelwise_0"), "for Stable Cascade"),
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
    "alpha alone": ({f"{Q}.alpha": torch.ones(())}, "changes nothing, none of its layers has a rank"),
    "NaN": (halves() | {f"{Q}.alpha": torch.tensor(float("nan"))}, "NaN"),
    "infinite": ({name: t * float("inf") for name, t in halves().items()}, "NaN"),
    "exploding": (halves() | {f"{Q}.alpha": torch.tensor(1e10)}, "times a usual weight"),
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
    "exploding norms": ({f"{NORM}.w_norm": torch.full((CHANNELS,), 1e5)}, "times a usual weight"),
    "exploding biases": ({f"{NORM}.b_norm": torch.full((CHANNELS,), 1e5)}, "would break pictures"),
    "untrained": (
        halves() | {f"{Q}.lora_up.weight": torch.zeros(OUT, 4)},
        "changes nothing, all its numbers are zeros",
    ),
    "nothing but zeros": ({f"{NORM}.w_norm": torch.zeros(CHANNELS)}, "changes nothing"),
    "a LoRA of zeros": ({name: tensor * 0 for name, tensor in halves().items()}, "changes nothing"),
    "a LoRA that never learnt": (halves() | {f"{Q}.lora_up.weight": torch.zeros(OUT, 4)}, "changes nothing"),
    "rotations by nothing": ({f"{Q}.oft_blocks": torch.zeros(8, 8, 8)}, "changes nothing"),
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
    """They are stored to the bit."""
    own = torch.linspace(-1, 1, CHANNELS)

    report = imported({f"{NORM}.w_norm": own, f"{NORM}.b_norm": 2 * own}, base, tmp_path)

    stored = load_file(tmp_path / "canonical.safetensors")
    name = "unet.down_blocks.1.resnets.0.norm1"
    assert stored.keys() == {f"{name}.gain", f"{name}.bias"}
    assert torch.equal(stored[f"{name}.gain"], own)
    assert torch.equal(stored[f"{name}.bias"], 2 * own)
    assert (report.layers, report.ranks) == (1, (0, 0))


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


class TestReport:
    """What the card is made of."""

    def test_it_tells_what_the_file_is(self, base: ImportBase, tmp_path: Path) -> None:
        """Layout, algorithm, layers, ranks, hash, words, licence."""
        tags = {"10_cat": {"my cat": 20, "sitting": 3, "red": 12}}
        metadata = {"ss_tag_frequency": json.dumps(tags), "modelspec.license": "CC0"}

        report = imported(halves(), base, tmp_path, metadata)

        assert (report.layout, report.algorithms, report.matched) == ("kohya", ("LoRA",), "1 of 1")
        assert report.ranks == (4, 4)
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


EXACT = 1e-6


def test_the_matrix_is_as_large_as_promised() -> None:
    """At least 45 rows, no two alike."""
    assert len({wanted.name for wanted in FORMATS}) == len(FORMATS) >= 45


@pytest.mark.parametrize("wanted", FORMATS, ids=lambda wanted: wanted.name)
def test_the_change_of_every_layer_is_that_of_the_forward(
    wanted: Format, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Under one in a million, as the file is read and as its canonical form is."""
    measured = measure(wanted, model_folder(wanted.model), tmp_path)

    assert measured.exact < EXACT
    assert measured.stored < EXACT
    assert measured.report.layout == wanted.layout
    assert measured.report.layers >= len(wanted.layers)
    assert measured.vectors < EXACT


SERVED = (
    "LoRA for SD 1.5",
    "LoHa for SD 1.5",
    "DoRA for SD 1.5, diffusers",
    "full difference",
    "full difference with norms, for SD 1.5",
    "norms of the text encoder alone, for SD 1.5",
)


@pytest.mark.parametrize("wanted", [own for own in FORMATS if own.name in SERVED], ids=lambda wanted: wanted.name)
def test_latents_are_those_of_the_changed_base(
    wanted: Format, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Within a hundredth of the LoRA's own effect, which half precision explains; its neighbour keeps its bits."""
    model = model_folder(wanted.model)
    written = write(wanted, model, tmp_path)
    library = tmp_path / "library"
    library.mkdir()
    import_lora(Upload(path=written.path), base_of(model, FAMILIES[wanted.model]), library / "mine.safetensors")
    by_hand = changed(model, written, tmp_path / "changed")

    (plain,) = latents(model, library, ())
    ours, beside = latents(model, library, (LoraUse(key="mine", name="mine", scale=1.0),), ())
    (theirs,) = latents(by_hand, library, ())

    effect = float((theirs - plain).norm())
    assert effect / float(plain.norm()) > 1e-3
    assert float((ours - theirs).norm()) < 1e-2 * effect
    assert torch.equal(beside, plain)


def changed(model: Path, written: Written, folder: Path) -> Path:
    """A copy of the model with what the file changes added to its own."""
    shutil.copytree(model, folder)
    networks = load_networks.__wrapped__(model)
    for side, changes in (("weight", written.weights), ("bias", written.biases)):
        for name, change in changes.items():
            own = getattr(module_of(networks, name), side)
            own.data = (own.data.double() + change).float()
    for network, module in networks.items():
        module.save_pretrained(folder / network)
    return folder


def latents(model: Path, library: Path, *rows: tuple[LoraUse, ...]) -> list[torch.Tensor]:
    """Of one image for each of `rows`, all in one batch."""
    engine = Engine(replace(SPEC, models=(str(model),), loras=library, max_rows=16, preview_every=0))
    request = a_request(model=model.name, steps=2, bucket=16, lora_pages=8)
    return final_latents(engine, [replace(request, loras=loras) for loras in rows])
