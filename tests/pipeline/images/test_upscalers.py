"""The upscalers of an installation, by name."""

from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest
from pipeline.images.upscalers import LANCZOS, Upscalers


def test_upscalers_are_called_as_their_files(tmp_path: Path) -> None:
    """Nets first; nothing outside the folder can be named."""
    for name in ("b.safetensors", "a.safetensors", "c.pth"):
        (tmp_path / name).touch()
    upscalers = Upscalers(folder=tmp_path)

    assert upscalers.names() == ("a", "b", LANCZOS)
    assert upscalers.net("b") == tmp_path / "b.safetensors"
    assert upscalers.net(LANCZOS) is None
    assert Upscalers().names() == (LANCZOS,)
    for wrong in ("c", "../a", "a.safetensors"):
        with pytest.raises(InvalidRequest, match="there is: a, b, lanczos"):
            upscalers.net(wrong)
