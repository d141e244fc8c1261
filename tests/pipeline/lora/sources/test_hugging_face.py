"""The Hugging Face Hub: commits, configs, and its own reasons."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.pipeline.lora.sources.fetching import HASH, fetch
from tests.pipeline.lora.sources.site import Site


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


async def test_a_folder_narrows_the_choice(site: Site, tmp_path: Path) -> None:
    site.names = ["a.safetensors", "sub/fox.safetensors", "subs/b.safetensors"]
    page = "https://huggingface.co/owner/name/tree/main"

    assert (await fetch(site, tmp_path, f"{page}/sub")).file_name == "fox.safetensors"
    with pytest.raises(UserError, match="This folder"):
        await fetch(site, tmp_path, f"{page}/nowhere")


async def test_a_pull_requests_file_is_of_its_own_revision(site: Site, tmp_path: Path) -> None:
    fetched = await fetch(site, tmp_path, "https://huggingface.co/owner/name/blob/refs%2Fpr%2F1/fox.safetensors")

    assert (fetched.file_name, site.revision) == ("fox.safetensors", "refs/pr/1")
