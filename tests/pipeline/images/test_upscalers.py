"""The upscalers of an installation, by name."""

from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest
from pipeline.images.upscalers import LANCZOS, SHIPPED, Upscalers


def test_upscalers_are_called_as_their_files(tmp_path: Path) -> None:
    """Nets first; nothing outside the folder can be named."""
    for name in ("b.safetensors", "a.safetensors", "c.pth"):
        (tmp_path / name).touch()
    upscalers = Upscalers(folder=tmp_path)

    assert upscalers.names() == ("a", "b", "waifu2x", LANCZOS)
    assert upscalers.net("b") == tmp_path / "b.safetensors"
    assert upscalers.net(LANCZOS) is None
    assert Upscalers().names() == ("waifu2x", LANCZOS)
    assert Upscalers().net("waifu2x") == SHIPPED
    for wrong in ("c", "../a", "a.safetensors"):
        with pytest.raises(InvalidRequest, match="there is: a, b, waifu2x, lanczos"):
            upscalers.net(wrong)


def test_an_admin_can_replace_the_net_that_ships(tmp_path: Path) -> None:
    """By a file of its name, and it is listed once."""
    (tmp_path / "waifu2x.safetensors").touch()
    upscalers = Upscalers(folder=tmp_path)

    assert upscalers.names() == ("waifu2x", LANCZOS)
    assert upscalers.net("waifu2x") == tmp_path / "waifu2x.safetensors"
