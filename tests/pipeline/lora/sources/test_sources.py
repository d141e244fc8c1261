"""Downloads from a server on loopback that answers as the sources document."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.lora.sources.download import Downloader, DownloadSource, Limits
from pipeline.lora.sources.fetched import FetchedFile
from pipeline.lora.sources.keys import SourceKeys
from pipeline.lora.sources.sources import LoraSources
from tests.pipeline.lora.sources.site import BYTES, Site

HASH = hashlib.sha256(BYTES).hexdigest()
KEYS = SourceKeys(civitai="civitai-secret", hugging_face="hf-secret")
HOSTS = frozenset({"127.0.0.1", "localhost"})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.start()
    yield site
    await site.server.close()


async def fetch(site: Site, folder: Path, link: str = "https://civitai.com/models/12", **how: Any) -> FetchedFile:
    sources = LoraSources(
        civitai_base=site.base, hugging_face_base=site.base, **{"more_hosts": HOSTS, "loopback": True, **how}
    )
    return await sources.fetch(link, folder, keys=KEYS, progress=lambda done, total: None)


def downloader(*, loopback: bool = True, **limits: Any) -> Downloader:
    return Downloader(place=DownloadSource(name="Shop", hosts=HOSTS, loopback=loopback), limits=Limits(**limits))


async def get(site: Site, folder: Path, path: str, **how: Any) -> tuple[int, str]:
    return await downloader(**how).file(f"{site.base}{path}", folder / "x", progress=lambda done, total: None)


async def test_a_civitai_file_comes_with_its_page_and_the_key_stays_on_its_host(site: Site, tmp_path: Path) -> None:
    fetched = await fetch(site, tmp_path)
    assert fetched.path.read_bytes() == BYTES
    assert (fetched.sha256, fetched.base_model, fetched.trigger_words) == (HASH, "SDXL 1.0", ("fox",))
    assert (fetched.rating, fetched.nsfw, fetched.licence) == ("R", True, "commercial use: Rent")
    assert site.authorizations == {"download": "Bearer civitai-secret", "signed": None}


@pytest.mark.parametrize(
    ("where", "change", "word"),
    [
        ("model", {"type": "Checkpoint"}, "not a LoRA"),
        ("model", {"minor": True}, "minor"),
        ("version", {"availability": "EarlyAccess"}, "early access"),
        ("version", {"earlyAccessEndsAt": "2999-01-01T00:00:00Z"}, "2999"),
        ("version", {"usageControl": "Generation"}, "download"),
        ("version", {"files": []}, "no .safetensors"),
        ("file", {"virusScanResult": "Pending"}, "not done"),
        ("file", {"pickleScanResult": "Danger"}, "dangerous"),
        ("file", {"hashes": {"SHA256": "0" * 64}}, "hash"),
    ],
)
async def test_what_civitai_forbids_is_one_sentence(
    site: Site, tmp_path: Path, where: str, change: dict[str, Any], word: str
) -> None:
    getattr(site, where).update(change)
    with pytest.raises(UserError, match=word):
        await fetch(site, tmp_path)
    assert not list(tmp_path.iterdir())


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


async def test_a_hub_file_is_of_the_resolved_commit_with_its_config(site: Site, tmp_path: Path) -> None:
    fetched = await fetch(site, tmp_path, "owner/name")
    assert (fetched.sha256, fetched.adapter_config) == (HASH, '{"r": 4}')


@pytest.mark.parametrize(("code", "word"), [("GatedRepo", "gated"), ("RevisionNotFound", "revision")])
async def test_the_hubs_own_reasons_are_distinguished(site: Site, tmp_path: Path, code: str, word: str) -> None:
    site.status, site.headers = 403 if code == "GatedRepo" else 404, {"X-Error-Code": code}
    with pytest.raises(UserError, match=word):
        await fetch(site, tmp_path, "owner/name")


async def test_a_hub_that_nobody_answers_at_is_one_sentence(site: Site, tmp_path: Path) -> None:
    await site.server.close()
    with pytest.raises(UserError, match="cannot be reached"):
        await fetch(site, tmp_path, "owner/name")


async def test_several_files_are_named(site: Site, tmp_path: Path) -> None:
    site.names = ["a.safetensors", "b.safetensors"]
    with pytest.raises(UserError, match=r"a\.safetensors, b\.safetensors"):
        await fetch(site, tmp_path, "owner/name")


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


def test_keys_are_in_no_text() -> None:
    assert "secret" not in repr(KEYS)
