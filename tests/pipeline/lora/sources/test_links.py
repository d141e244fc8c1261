"""What links mean, and that no text at all does anything but that or one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.lora.sources.links import CivitaiLink, FileLink, FileWish, HuggingFaceLink, Link, read_link


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("https://civitai.com/models/12/slug?modelVersionId=34", CivitaiLink(model=12, version=34)),
        ("civitai.red/models/12", CivitaiLink(model=12)),
        ("https://civitai.green/api/download/models/34?type=Model", CivitaiLink(version=34)),
        (
            "https://civitai.com/api/download/models/34?type=Model&format=SafeTensor&size=pruned&fp=fp32",
            CivitaiLink(version=34, wish=FileWish(format="SafeTensor", size="pruned", fp="fp32")),
        ),
        ("https://civitai.com/api/download/models/34?fileId=5", CivitaiLink(version=34, wish=FileWish(id=5))),
        ("https://civitai.com/model-versions/34", CivitaiLink(version=34)),
        ("www.civitai.red/models/12", CivitaiLink(model=12)),
        ("12@34", CivitaiLink(model=12, version=34)),
        ("air:sdxl:lora:civitai:12@34", CivitaiLink(model=12, version=34)),
        ("civitai:12@34", CivitaiLink(model=12, version=34)),
        ("urn:air:flux.1-dev:lora:civitai:12@34:layer.safetensor", CivitaiLink(model=12, version=34)),
        ("[fox](https://civitai.com/models/12)", CivitaiLink(model=12)),
        ("urn:air:sdxl:lora:civitai:12@34", CivitaiLink(model=12, version=34)),
        ("owner/name@main", HuggingFaceLink(repository="owner/name", revision="main")),
        ("hf.co/owner/name", HuggingFaceLink(repository="owner/name")),
        (
            "https://huggingface.co/owner/name/blob/v1/a/b.safetensors",
            HuggingFaceLink(repository="owner/name", file="a/b.safetensors", revision="v1"),
        ),
        (
            "https://huggingface.co/owner/name/blob/refs%2Fpr%2F1/a/b%20c.safetensors",
            HuggingFaceLink(repository="owner/name", file="a/b c.safetensors", revision="refs/pr/1"),
        ),
        (
            "https://huggingface.co/owner/name/resolve/refs/pr/1/x.safetensors?download=true",
            HuggingFaceLink(repository="owner/name", file="x.safetensors", revision="refs/pr/1"),
        ),
        (
            "https://www.hf.co/owner/name/tree/main/a/b",
            HuggingFaceLink(repository="owner/name", folder="a/b", revision="main"),
        ),
        ("hf.co/owner/name/tree/refs%2Fpr%2F12", HuggingFaceLink(repository="owner/name", revision="refs/pr/12")),
        ("owner/name@refs/pr/1", HuggingFaceLink(repository="owner/name", revision="refs/pr/1")),
        ("urn:air:sdxl:lora:huggingface:owner/name", HuggingFaceLink(repository="owner/name")),
        ("air:sdxl:lora:huggingface:owner/name@v1", HuggingFaceLink(repository="owner/name", revision="v1")),
        (
            "urn:air:sdxl:lora:huggingface:owner/name/a/b.safetensors",
            HuggingFaceLink(repository="owner/name", file="a/b.safetensors"),
        ),
        (
            "hf://owner/name@v1/a/b.safetensors",
            HuggingFaceLink(repository="owner/name", file="a/b.safetensors", revision="v1"),
        ),
        ("https://files.example/x.safetensors?a=1", FileLink(url="https://files.example/x.safetensors?a=1")),
    ],
)
def test_each_kind_of_link_is_read(text: str, meaning: Link) -> None:
    assert read_link(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "http://civitai.com/models/1",
        "https://civitai.com.evil.example/models/1",
        "https://user@civitai.com/models/1",
        "https://civitai.com:8080/models/1",
        "file:///etc/passwd.safetensors",
        "owner/../name",
        "https://huggingface.co/a/b/resolve/main/x.ckpt",
        "https://huggingface.co/a/b/tree/main/%2E%2E/c",
        "https://huggingface.co/a/b/blob/main%2F../x.safetensors",
        "https://huggingface.co/datasets/a/b",
        "https://civitai.com/api/download/models/34?fp=%3Cb%3E",
        "urn:air:sdxl:lora:huggingface:owner",
        "./crayon.safetensors",
        "https://[::1/x.safetensors",
        "",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        read_link(text)


@given(st.text() | st.from_regex(r"https://(civitai\.com|hf\.co|x)/[a-z0-9/@?=.%]*"))
def test_any_text_is_a_link_or_one_short_sentence(text: str) -> None:
    sentence, link = "", None
    try:
        link = read_link(text)
    except UserError as error:
        sentence = str(error)
    assert isinstance(link, CivitaiLink | HuggingFaceLink | FileLink) or 0 < len(sentence) <= 200
