"""Bytes from allowed hosts at public addresses, within limits."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from tests.pipeline.lora.sources.fetching import HASH, downloader, fetch, get
from tests.pipeline.lora.sources.site import Site


async def test_a_broken_download_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    site.broken = 1
    assert (await fetch(site, tmp_path)).sha256 == HASH
    assert site.ranges[0] is None
    assert site.ranges[1:]
    assert all(again is not None and again != "bytes=0-" for again in site.ranges[1:])


async def test_a_redirect_to_a_private_address_is_refused(site: Site, tmp_path: Path) -> None:
    site.location = "https://169.254.169.254/latest"
    with pytest.raises(UserError, match="not allowed"):
        await fetch(site, tmp_path)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_an_allowed_name_at_a_private_address_is_never_opened(site: Site, tmp_path: Path, host: str) -> None:
    with pytest.raises(UserError, match="private address"):
        await downloader(loopback=False).file(f"https://{host}/x", tmp_path / "x", progress=lambda done, total: None)


@pytest.mark.parametrize(
    ("path", "how", "word"),
    [
        ("/loop", {}, "too often"),
        ("/endless", {"size": 5 << 20}, "over the limit"),
        ("/endless", {"seconds": 0.2, "size": 1 << 50}, "too slow"),
        ("/signed", {"size": 1000}, "over the limit"),
        ("/page", {}, "login"),
        ("/gzip", {}, "compressed"),
    ],
)
async def test_what_is_no_file_within_limits_leaves_nothing(
    site: Site, tmp_path: Path, path: str, how: dict[str, Any], word: str
) -> None:
    with pytest.raises(UserError, match=word):
        await get(site, tmp_path, path, **how)
    assert not list(tmp_path.iterdir())
