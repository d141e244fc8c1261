"""What `limner imagine --like` reads before it starts."""

from pathlib import Path

import pytest

from bot.terminal.one_shot import changed, read_image
from handlers.images.options import request_options
from pipeline.errors import UserError
from pipeline.images.metadata import ImageMetadata
from tests.fakes import png, request


def test_an_image_of_ours_says_how_it_was_made(tmp_path: Path) -> None:
    """Enough to ask for it again."""
    asked = request(seed=42)
    (tmp_path / "fox.png").write_bytes(png(asked))

    said = read_image(tmp_path / "fox.png")

    assert isinstance(said, ImageMetadata)
    again = said.request()
    assert (again.prompt, again.seed, again.steps) == (asked.prompt, 42, asked.steps)


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    """A path that leads nowhere."""
    with pytest.raises(UserError, match=r"missing\.png cannot be read: No such file"):
        read_image(tmp_path / "missing.png")


def test_what_is_given_beside_an_image_counts() -> None:
    """Also where it says in one word what the image says in two."""
    options = request_options(request(width=512, height=768))

    wide = changed(options, {"aspect": "16:9"})
    sampled = changed(options, {"scheduler": "DPM++ 2M Karras"})

    assert wide["aspect"] == "16:9"
    assert wide.keys().isdisjoint({"width", "height"})
    assert (sampled["scheduler"], sampled["spacing"], sampled["width"]) == ("dpm++2m", "karras", 512)
