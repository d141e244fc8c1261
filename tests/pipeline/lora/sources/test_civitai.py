"""Civitai: what its pages say, and what they forbid."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from tests.pipeline.lora.sources.fetching import HASH, fetch
from tests.pipeline.lora.sources.site import BYTES, Site


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


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "full.safetensors"),
        ("?type=Model&format=SafeTensor", "full.safetensors"),
        ("?type=Model&format=SafeTensor&size=pruned&fp=fp32", "small32.safetensors"),
        ("?size=pruned&fp=FP16", "small16.safetensors"),
        ("?fileId=3", "small16.safetensors"),
    ],
)
async def test_a_link_may_ask_for_one_of_several_files(site: Site, tmp_path: Path, query: str, name: str) -> None:
    """By the words of Civitai's own download links; without any, the primary one."""
    offer_three(site)

    fetched = await fetch(site, tmp_path, f"https://civitai.com/api/download/models/34{query}")

    assert fetched.file_name == name


@pytest.mark.parametrize("query", ["?fp=bf16", "?format=PickleTensor", "?type=Training%20Data", "?fileId=9"])
async def test_a_file_that_a_version_lacks_is_not_another(site: Site, tmp_path: Path, query: str) -> None:
    offer_three(site)

    with pytest.raises(UserError, match=r"has no \.safetensors file on Civitai that is"):
        await fetch(site, tmp_path, f"https://civitai.com/api/download/models/34{query}")


def offer_three(site: Site) -> None:
    kinds = (("full", "fp16", True), ("small32", "fp32", False), ("small16", "fp16", False))
    site.version["files"] = [
        {
            "id": number,
            "name": f"{name}.safetensors",
            "downloadUrl": f"{site.base}/api/download/models/34",
            "primary": primary,
            "metadata": {"format": "SafeTensor", "size": "full" if primary else "pruned", "fp": fp},
        }
        for number, (name, fp, primary) in enumerate(kinds, start=1)
    ]
