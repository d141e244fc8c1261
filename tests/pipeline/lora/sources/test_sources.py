"""A link of any source, and what its server refuses."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.pipeline.lora.sources.fetching import fetch
from tests.pipeline.lora.sources.site import Site


@pytest.mark.parametrize("link", ["https://civitai.com/models/12", "owner/name"])
@pytest.mark.parametrize(
    ("status", "word"), [(401, "key"), (403, "access"), (404, "no such"), (410, "deleted"), (429, "in 2 min")]
)
async def test_a_status_is_said_in_words(site: Site, tmp_path: Path, link: str, status: int, word: str) -> None:
    site.status, site.headers = status, {"Retry-After": "90"}
    if (link, status) == ("owner/name", 404):
        site.headers = {"X-Error-Code": "RepoNotFound"}
    with pytest.raises(UserError, match=word) as caught:
        await fetch(site, tmp_path, link)
    assert "secret" not in str(caught.value)
