"""A VAE of one's own, in either layout, beside those of neighbours."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file

from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.models.vae_library import VaeLibrary
from pipeline.models.vaes import Vaes
from pipeline.requests.device_messages import Event, Refused, Rendered
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import StartImage
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.engine.diffusers_pipelines import load_pipeline
from tests.pipeline.ldm_checkpoint import vae_tensors
from tests.pipeline.scene import IMAGES


@pytest.fixture(scope="module")
def other(model_folder: Callable[[str], Path]) -> AutoencoderKL:
    """A VAE of mote's layers and other weights."""
    torch.manual_seed(1)
    return AutoencoderKL.from_config(AutoencoderKL.load_config(model_folder("mote") / "vae")).eval()


@pytest.fixture(scope="module")
def folder(other: AutoencoderKL, model_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("vaes")
    for base in ("sdxl", "sd15"):
        (root / base).mkdir()
    save_file(other.state_dict(), root / "sdxl" / "diffusers.safetensors")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    save_file(
        {_renamed(name, old): tensor for name, tensor in other.state_dict().items()}, root / "sdxl" / "2022.safetensors"
    )
    other.save_pretrained(root / "model" / "vae")
    tensors = vae_tensors(root / "model")
    save_file(tensors, root / "sdxl" / "ldm.vae.safetensors")
    whole = {f"first_stage_model.{name}": tensor for name, tensor in tensors.items()}
    save_file(whole, root / "sdxl" / "part-of-a-checkpoint.safetensors")
    save_file({"weight": torch.zeros(3)}, root / "sdxl" / "odd.safetensors")
    (root / "sdxl" / "broken.safetensors").write_bytes(b"no weights")
    save_file(other.state_dict(), root / "sd15" / "mse.safetensors")
    return root


@pytest.mark.parametrize("name", ["diffusers", "2022", "ldm", "part-of-a-checkpoint"])
def test_any_layout_gives_the_same_weights(
    name: str, folder: Path, other: AutoencoderKL, loaded_model: Callable[[str], LoadedModel]
) -> None:
    library = VaeLibrary(loaded_model("mote")._checkpoint, Vaes(folder=folder))

    loaded = library.acquire(name, 60.0).state_dict()

    expected = other.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[key].reshape(expected[key].shape), expected[key]) for key in expected)
    assert library.acquire(None, 60.0) is loaded_model("mote")._checkpoint.vae


@pytest.mark.parametrize("name", ["odd", "broken"])
def test_what_is_no_such_vae_is_refused_each_time(
    name: str, folder: Path, loaded_model: Callable[[str], LoadedModel]
) -> None:
    library = VaeLibrary(loaded_model("mote")._checkpoint, Vaes(folder=folder))

    for _ in range(2):
        with pytest.raises(InvalidRequest, match=f"VAE '{name}' is damaged, or none for mote; an admin can replace it"):
            library.acquire(name, 60.0)


def test_each_image_has_its_own_in_one_batch(
    folder: Path, other: AutoencoderKL, model_folder: Callable[[str], Path]
) -> None:
    """At both ends, as diffusers' pipeline with that VAE; one of another base is refused and harms nobody."""
    engine = Engine(replace(SPEC, models=(str(model_folder("mote")),), vaes=folder))
    plain = a_request(model="mote", steps=2, width=64, height=64, bucket=4)
    over = replace(plain, start=StartImage(image="scene", strength=0.5))

    made = pixels(engine, plain, replace(plain, vae="ldm"), over, replace(over, vae="ldm"))

    pipeline = load_pipeline("mote", model_folder("mote"))
    for vae, image in ((pipeline.vae, made[0]), (other, made[1])):
        pipeline.vae = vae
        expected = pipeline(
            plain.prompt, width=64, height=64, num_inference_steps=2, guidance_scale=plain.guidance_scale,
            generator=torch.Generator().manual_seed(plain.seed), output_type="pt",
        ).images[0]  # fmt: skip
        assert float((to_tensor(image) - expected * 255).abs().max()) <= 0.51
    assert made[2].tobytes() != made[3].tobytes()
    assert pixels(engine, replace(over, vae="diffusers"))[0].tobytes() == made[3].tobytes()

    engine.admit("wrong", replace(plain, vae="mse"))
    events: list[Event] = []
    while not engine.idle:
        events += engine.step()
    sentence = "VAE 'mse' is for SD 1.5 and mote is SDXL; for that there is: 2022, broken, diffusers, ldm, odd, "
    assert events == [Refused(ticket="wrong", sentence=f"{sentence}part-of-a-checkpoint.")]


def _renamed(name: str, names: dict[str, str]) -> str:
    for now, then in names.items():
        name = name.replace(f".{now}.", f".{then}.")
    return name


def to_tensor(image: Image.Image) -> torch.Tensor:
    width, height = image.size
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(height, width, 3).movedim(2, 0).float()


def pixels(engine: Engine, *requests: ImageRequest) -> list[Image.Image]:
    for number, request in enumerate(requests):
        engine.admit(str(number), request, images=IMAGES)
    done: dict[str, bytes] = {}
    while not engine.idle:
        done |= {event.ticket: event.png for event in engine.step() if isinstance(event, Rendered)}
    return [Image.open(io.BytesIO(done[str(number)])).convert("RGB") for number in range(len(requests))]
