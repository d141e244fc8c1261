"""VAEs beside the models' own, found by name and base."""

from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.models.vaes import Vaes


@pytest.fixture
def vaes(tmp_path: Path) -> Vaes:
    for file in ("sdxl/soft.vae.safetensors", "sdxl/clear.safetensors", "sd15/mse.safetensors", "sd15/notes.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    return Vaes(folder=tmp_path)


def test_each_base_has_its_own(vaes: Vaes) -> None:
    """Called after their files."""
    assert vaes.names(ModelFamily.SDXL) == ("clear", "soft")
    assert vaes.file("soft", ModelFamily.SDXL, "pocket").name == "soft.vae.safetensors"
    assert Vaes().names(ModelFamily.SDXL) == ()


def test_where_there_is_none_that_is_said() -> None:
    """Rather than an empty list."""
    with pytest.raises(InvalidRequest, match=r"^There is no VAE 'soft' for pocket here; there is none yet\.$"):
        Vaes().file("soft", ModelFamily.SDXL, "pocket")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mse", "VAE 'mse' is for SD 1.5 and pocket is SDXL; for that there is: clear, soft."),
        ("../sd15/mse", "There is no VAE '../sd15/mse' for pocket here; there is: clear, soft."),
    ],
)
def test_another_bases_is_refused_and_so_is_a_path(vaes: Vaes, name: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        vaes.file(name, ModelFamily.SDXL, "pocket")

    assert str(caught.value) == sentence
