"""What LIMNER_MODEL can say, and what a wrong, missing or damaged model answers."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from pipeline.errors import InvalidRequest, UserError
from pipeline.families.family import ModelFamily
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource, SourceKind, stored_models
from pipeline.requests.image_request import Scheduler
from tests.pipeline.conftest import a_request


@pytest.mark.parametrize(
    ("text", "kind", "location", "revision", "name"),
    [
        ("pocket", SourceKind.EMBEDDED, "pocket", None, "pocket"),
        (" /models/my-xl ", SourceKind.FOLDER, "/models/my-xl", None, "my-xl"),
        ("./juggernaut.safetensors", SourceKind.CHECKPOINT, "juggernaut.safetensors", None, "juggernaut"),
        ("org/model.v1", SourceKind.HUB, "org/model.v1", None, "org/model.v1"),
        ("org/model@refs/pr/1", SourceKind.HUB, "org/model", "refs/pr/1", "org/model"),
    ],
)
def test_a_text_means_one_of_four_places(
    text: str, kind: SourceKind, location: str, revision: str | None, name: str
) -> None:
    """And turns back into itself."""
    source = ModelSource.parse(text)

    assert source == ModelSource(kind=kind, location=location, revision=revision)
    assert source.name == name
    assert ModelSource.parse(str(source)) == source


@pytest.mark.parametrize(
    ("text", "sentence"), [("", "not known"), ("what?", "not known"), ("a.ckpt", "a pickle, which can run code")]
)
def test_a_text_that_means_nothing_is_one_sentence(text: str, sentence: str) -> None:
    """With what to use instead."""
    with pytest.raises(UserError, match=sentence):
        ModelSource.parse(text)


def test_a_missing_model_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the path, or pull it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="check LIMNER_MODEL"):
        ModelSource.parse(str(tmp_path / "none")).facts()
    with pytest.raises(UserError, match="run: limner models pull org/model@main"):
        ModelSource.parse("org/model@main").facts()


def test_facts_are_read_from_configs_and_headers(model_folder: Callable[[str], Path]) -> None:
    """Family, native size, defaults, hash, without loading anything."""
    pocket, sd15 = ModelSource.parse("pocket").facts(), ModelSource.parse(str(model_folder("sd15"))).facts()

    assert (pocket.name, pocket.family, pocket.width, pocket.height) == ("pocket", ModelFamily.SDXL, 128, 128)
    assert (sd15.name, sd15.family, sd15.width, sd15.max_pixels) == ("sd15", ModelFamily.SD15, 64, 128 * 128)
    assert len(pocket.hash) == 10
    assert pocket.hash != sd15.hash
    assert 10e6 < pocket.parameters < 20e6
    pocket.check(a_request(width=256, height=256))
    with pytest.raises(InvalidRequest, match="use up to 65,536 pixels, such as 256×256"):
        pocket.check(a_request(width=264, height=256))


@pytest.fixture
def copy(tmp_path: Path, model_folder: Callable[[str], Path]) -> Path:
    return Path(shutil.copytree(model_folder("sd15"), tmp_path / "copy"))


def load(folder: Path) -> None:
    load_checkpoint(ModelSource.parse(str(folder)), Hardware.choose("cpu"))


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_a_model_states_its_own_defaults(copy: Path) -> None:
    """In `limner.json`, so that a few-step model is asked for few steps."""
    own = {"steps": 6, "guidance_scale": 1.5, "scheduler": "lcm", "upscale_strength": 0.2}
    (copy / "limner.json").write_text(json.dumps(own))

    facts = ModelSource.parse(str(copy)).facts()

    assert (facts.steps, facts.guidance_scale, facts.scheduler) == (6, 1.5, Scheduler.LCM)
    assert facts.upscale_strength == 0.2


def test_half_precision_shards_and_old_names_load(copy: Path) -> None:
    """As they lie on the Hub: `.fp16`, several files, a VAE with the names of 2022."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415  only here

    unet = copy / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = {name: tensor.half() for name, tensor in load_file(unet).items()}
    unet.unlink()
    for shard in range(2):
        names = sorted(tensors)[shard::2]
        path = copy / "unet" / f"diffusion_pytorch_model-0000{shard}-of-00002.fp16.safetensors"
        save_file({name: tensors[name] for name in names}, path)
    vae = copy / "vae" / "diffusion_pytorch_model.safetensors"
    renamed = {
        name.replace(".to_q.", ".query.").replace(".to_out.0.", ".proj_attn."): tensor
        for name, tensor in load_file(vae).items()
    }
    save_file(renamed, vae)

    load(copy)


@pytest.mark.parametrize("keep", [0, 4, 5000, -1])
def test_weights_cut_short_are_noticed(copy: Path, keep: int) -> None:
    """At any byte."""
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(UserError, match="download it again"):
        load(copy)


@pytest.mark.parametrize(
    "header",
    [b"{", b"[]", b'{"a": 1}', b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}', b"\xff\xff"],
)
def test_a_damaged_header_is_noticed(copy: Path, header: bytes) -> None:
    """Whatever stands in it."""
    path = copy / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)

    with pytest.raises(UserError, match="download it again"):
        load(copy)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: change(folder / "model_index.json", _class_name="FluxPipeline"), "serves SDXL and SD 1.5"),
        (lambda folder: (folder / "model_index.json").unlink(), "not a complete diffusers model"),
        (lambda folder: (folder / "vae" / "config.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "scheduler" / "scheduler_config.json").write_text("[]"), "is damaged"),
        (lambda folder: change(folder / "unet" / "config.json", in_channels=9), "draws inside pictures only"),
        (lambda folder: change(folder / "unet" / "config.json", cross_attention_dim=64), "do not fit their config"),
        (
            lambda folder: change(folder / "text_encoder" / "config.json", num_hidden_layers=4),
            "lack 16 tensors, such as",
        ),
        (lambda folder: change(folder / "unet" / "config.json", down_block_types=["?"]), "describes no model"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "tokenizer"),
        (lambda folder: (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink(), "no safetensors weights"),
    ],
)
def test_a_broken_model_is_one_sentence(copy: Path, damage: Callable[[Path], object], sentence: str) -> None:
    """That names the part and says what to do."""
    damage(copy)

    with pytest.raises(UserError, match=sentence) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


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


def test_pull_takes_what_serving_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pickles, half precision where there is a choice, and the commit that the name meant."""
    files = [
        "model_index.json",
        "sd_xl_base_1.0.safetensors",
        "unet/config.json",
        "unet/model.fp16.safetensors",
        "unet/model.safetensors",
        "unet/model.bin",
        "vae/config.json",
        "vae/model.safetensors",
        "tokenizer/merges.txt",
    ]
    asked: dict[str, object] = {}

    def download(repository: str, **options: object) -> str:
        asked.update(options, repository=repository)
        return str(tmp_path)

    info = SimpleNamespace(sha="abc", siblings=[SimpleNamespace(rfilename=name) for name in files])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    assert ModelSource.parse("org/model@main").pull() == tmp_path
    assert asked["revision"] == "abc"
    assert asked["allow_patterns"] == [
        "model_index.json",
        "unet/model.fp16.safetensors",
        "unet/config.json",
        "vae/model.safetensors",
        "vae/config.json",
        "tokenizer/merges.txt",
    ]


def test_the_embedded_model_is_always_stored() -> None:
    """Also where the Hub's cache does not exist."""
    assert str(stored_models()[0].source) == "pocket"
