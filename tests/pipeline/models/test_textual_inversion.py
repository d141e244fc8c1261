"""Textual inversions from an untrusted file to conditioning: what diffusers makes of the same vectors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor

from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest, UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.merge import merge
from pipeline.lora.exporting.merge_process import MergeInput
from pipeline.lora.importing.importer import Upload, import_lora
from pipeline.lora.serving.adapter_pool import Adapter
from pipeline.lora.serving.pages import load_pages
from pipeline.models.text_encoder import TextEncoder
from pipeline.models.textual_inversion import InvertedText, TextualInversion, WordTable
from pipeline.requests.image_request import ImageRequest, LoraUse
from pipeline.text.conditioning import Conditioning
from pipeline.text.prompt_weights import read_weights
from pipeline.text.weighted_prompt import WeightedText
from tests.pipeline.conftest import a_request
from tests.pipeline.lora.importing.measuring import base_of

FAMILIES = {"speck": ModelFamily.SDXL, "sd15": ModelFamily.SD15}


def vectors(count: int, seed: int) -> Tensor:
    return torch.randn(count, 32, generator=torch.Generator().manual_seed(seed)) * 0.1


def layouts(name: str, clip_l: Tensor, clip_g: Tensor) -> dict[str, dict[str, Tensor]]:
    """Files that teach "cat-toy" in every way that trainers write them."""
    both = {"clip_l": clip_l, "clip_g": clip_g}
    if name == "speck":
        return {"SDXL": both, "bundled": {f"bundle_emb.<cat-toy>.{part}": own for part, own in both.items()}}
    return {"A1111": {"emb_params": clip_l}, "diffusers": {"<cat-toy>": clip_l}}


@pytest.fixture(params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    own: str = request.param
    return own


class Bench:
    """One model here and in diffusers, and files that it is taught from."""

    def __init__(self, name: str, model: LoadedModel, folder: Path, tmp_path: Path) -> None:
        self.name, self.model, self.folder, self.tmp_path = name, model, folder, tmp_path

    def learn(self, tensors: dict[str, Tensor], key: str) -> Adapter:
        source, target = self.tmp_path / "file.safetensors", self.tmp_path / f"{key}.safetensors"
        if next(iter(tensors)).startswith("bundle_emb"):
            tensors = tensors | self.beside()
        save_file(tensors, source)
        import_lora(Upload(path=source, word="cat-toy"), base_of(self.folder, FAMILIES[self.name]), target)
        adapter = self.model._adapters.acquire(
            key, load_pages(target, self.model._adapters.networks, torch.float32, pin=False)
        )
        assert adapter is not None
        return adapter

    def beside(self) -> dict[str, Tensor]:
        """A LoRA of the UNet, which says nothing to the text encoders."""
        name = next(name for name in base_of(self.folder, FAMILIES[self.name]).layers if name.endswith("attn1.to_q"))
        inputs = base_of(self.folder, FAMILIES[self.name]).layers[name].inputs
        halves = {"down": torch.ones(1, inputs), "up": torch.ones(inputs, 1) * 1e-3}
        return {
            f"lora_unet_{name.removeprefix('unet.').replace('.', '_')}.lora_{s}.weight": t for s, t in halves.items()
        }

    def encode(self, prompt: str, *adapters: Adapter, scale: float = 1.0, negative: str = "") -> Conditioning:
        return self.model._encoder.encode(self.request(prompt, *adapters, scale=scale, negative=negative), adapters)

    def request(self, prompt: str, *adapters: Adapter, scale: float = 1.0, negative: str = "") -> ImageRequest:
        loras = tuple(LoraUse(key=own.key, name=own.key, scale=scale) for own in adapters)
        return a_request(model=self.name, prompt=prompt, negative_prompt=negative, guidance_scale=5.0, loras=loras)

    def diffusers(self, clip_l: Tensor, clip_g: Tensor) -> Any:
        pipeline = DiffusionPipeline.from_pretrained(self.folder)
        pipeline.load_textual_inversion(
            {"<cat-toy>": clip_l}, text_encoder=pipeline.text_encoder, tokenizer=pipeline.tokenizer
        )
        if self.name == "speck":
            pipeline.load_textual_inversion(
                {"<cat-toy>": clip_g}, text_encoder=pipeline.text_encoder_2, tokenizer=pipeline.tokenizer_2
            )
        return pipeline


@pytest.fixture
def bench(
    name: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path], tmp_path: Path
) -> Bench:
    return Bench(name, loaded_model(name), model_folder(name), tmp_path)


@torch.no_grad()
def test_conditioning_is_that_of_diffusers_whatever_file_it_is_from(bench: Bench) -> None:
    """One vector and three, beside other words and within the negative prompt, to a millionth; pooled too."""
    for count in (1, 3):
        clip_l, clip_g = vectors(count, 1), vectors(count, 2)
        pipeline = bench.diffusers(clip_l, clip_g)
        for layout, tensors in layouts(bench.name, clip_l, clip_g).items():
            adapter = bench.learn(tensors, f"{layout}-{count}")
            for prompt, negative in (("a <cat-toy> fox", "blue"), ("cat-toy, Cat-Toy's fox", "<cat-toy>")):
                ours = bench.encode(prompt, adapter, negative=negative)

                theirs = pipeline.encode_prompt(
                    _spelled(prompt),
                    device="cpu",
                    num_images_per_prompt=1,
                    do_classifier_free_guidance=True,
                    negative_prompt=_spelled(negative),
                )
                assert float((ours.states - torch.cat([theirs[1], theirs[0]])).abs().max()) < 1e-6
                if ours.pooled is not None:
                    assert float((ours.pooled - torch.cat([theirs[3], theirs[2]])).abs().max()) < 1e-6


def test_a_word_is_known_to_its_own_requests_alone(bench: Bench) -> None:
    """The same prompt without the LoRA, with it at scale 0, or with another's of the same word is what it was."""
    prompt = "a cat-toy fox"
    before = bench.encode(prompt).states
    mine, others = (
        bench.learn(next(iter(layouts(bench.name, vectors(2, seed), vectors(2, seed + 1)).values())), f"guild-{seed}")
        for seed in (3, 5)
    )

    first, second = bench.encode(prompt, mine).states, bench.encode(prompt, others).states

    assert not torch.equal(first, before)
    assert not torch.equal(first, second)
    assert torch.equal(bench.encode(prompt, mine, others).states, first)
    bench.model._encoder._remembered.clear()
    assert torch.equal(bench.encode(prompt).states, before)
    assert torch.equal(bench.encode(prompt, mine, scale=0.0).states, before)
    assert torch.equal(bench.encode("a fox", mine).states, bench.encode("a fox").states)


@torch.no_grad()
@pytest.mark.parametrize("own", ["text_encoder", "text_encoder_2"])
def test_one_of_two_encoders_may_know_a_word_alone(
    own: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """As in diffusers: the other one reads the word as it is written, and may need fewer windows for that."""
    bench = Bench("speck", loaded_model("speck"), model_folder("speck"), tmp_path)
    part = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}[own]
    learnt = vectors(3, 1)
    alone, bundled = (
        bench.learn({part: learnt}, f"{own}-alone"),
        bench.learn({f"bundle_emb.<cat-toy>.{part}": learnt}, f"{own}-bundled"),
    )
    pipeline = DiffusionPipeline.from_pretrained(bench.folder)
    pipeline.load_textual_inversion(
        {"<cat-toy>": learnt},
        text_encoder=getattr(pipeline, own),
        tokenizer=getattr(pipeline, own.replace("text_encoder", "tokenizer")),
    )
    prompt = "a <cat-toy> fox"
    theirs = pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)

    for adapter in (alone, bundled):
        ours = bench.encode(prompt, adapter)
        assert ours.pooled is not None
        assert float((ours.states[1:] - theirs[0]).abs().max()) < 1e-6
        assert float((ours.pooled[1:] - theirs[2]).abs().max()) < 1e-6
    many = bench.learn({part: vectors(100, 2)}, f"{own}-many")
    longer, plain = bench.encode("cat-toy", many), bench.encode("cat-toy")
    assert longer.states.shape[1] == 2 * 77
    untaught = slice(32, 64) if own == "text_encoder" else slice(0, 32)
    assert float((longer.states[1:, :77, untaught] - plain.states[1:, :, untaught]).abs().max()) < 1e-6


@torch.no_grad()
def test_weighted_and_long_prompts_know_it_too(bench: Bench) -> None:
    """As compel has it with diffusers' own tokens; its vectors count as tokens of the window."""
    clip_l, clip_g = vectors(2, 1), vectors(2, 2)
    adapter = bench.learn(next(iter(layouts(bench.name, clip_l, clip_g).values())), "weighted")
    pipeline = bench.diffusers(clip_l, clip_g)
    words = "a (cat-toy:1.3) fox" + ", snow" * 80

    ours = bench.encode(words, adapter).states[1:]

    spelled = read_weights(words.replace("cat-toy", "<cat-toy> <cat-toy>_1"))
    encoders = [
        TextEncoder(
            network=own,
            tokenizer=getattr(pipeline, own.replace("text_encoder", "tokenizer")),
            model=getattr(pipeline, own),
            device=torch.device("cpu"),
        )
        for own in ("text_encoder", "text_encoder_2")[: 2 if bench.name == "speck" else 1]
    ]
    theirs = torch.cat([WeightedText(one, spelled, penultimate=bench.name == "speck").states() for one in encoders], -1)
    assert float((ours - theirs).abs().max()) < 1e-6
    many = bench.learn(next(iter(layouts(bench.name, vectors(76, 1), vectors(76, 1)).values())), "many")
    assert bench.model.shape(bench.request("cat-toy", many), (many,)).windows == 2
    assert bench.model.shape(bench.request("cat-toy", many)).windows == 1


def test_a_set_keeps_the_words_of_its_members(bench: Bench) -> None:
    """Unless a member is there for the UNet alone."""
    bench.learn(next(iter(layouts(bench.name, vectors(2, 3), vectors(2, 4)).values())), "member")
    member, made = (
        MergeInput(path=bench.tmp_path / "member.safetensors", scale=1, text_encoder_scale=1),
        bench.tmp_path / "set.safetensors",
    )

    merge([member, member], made)

    words = load_pages(made, bench.model._adapters.networks, torch.float32, pin=False).words
    assert [word.text for word in words] == ["cat-toy"]
    assert torch.equal(words[0].vectors["text_encoder"], vectors(2, 3))
    with pytest.raises(UserError, match="changes nothing"):
        merge([replace(member, text_encoder_scale=0)] * 2, made)


def _spelled(text: str) -> str:
    return text.lower().replace("<", "").replace(">", "").replace("cat-toy", "<cat-toy>")


class TestInvertedText:
    """Where a word is one."""

    WORDS = tuple(
        TextualInversion(text=text, vectors={"text_encoder": torch.ones(n, 4)})
        for text, n in (("cat", 1), ("cat toy", 2))
    )

    @pytest.mark.parametrize(
        ("text", "signs"),
        [
            ("cat", 1),
            ("concatenate cats", 0),
            ("a Cat, a <cat>", 2),
            ("cat toy", 2),
            ("cat\U000f0001", 1),
            ("a fox", 0),
        ],
    )
    def test_whole_words_alone_count_and_the_longest_first(self, text: str, signs: int) -> None:
        """And signs that somebody wrote are none."""
        assert sum(sign >= "\U000f0000" for sign in InvertedText(text, self.WORDS).text) == signs

    def test_vectors_follow_the_signs(self) -> None:
        """In the order in which the words come, each once."""
        text = InvertedText("cat toy cat cat toy", self.WORDS)

        assert text.text == "\U000f0000\U000f0001 \U000f0002 \U000f0000\U000f0001"
        own = text.vectors("text_encoder", torch.device("cpu"))
        assert own is not None
        assert own.shape == (3, 4)

    def test_a_sign_is_never_the_largest_id(self) -> None:
        """By which CLIP's older configs find the end of the text (1562), where its pooled output lies."""
        table = WordTable.from_base(torch.nn.Embedding(1563, 4), first_sign=1563)

        assert table.below_zero(torch.tensor([1561, 1563, 1564, 1562])).tolist() == [1561, -1, -2, 1562]

    def test_more_vectors_than_any_prompt_has_room_for_are_refused(self) -> None:
        """In one sentence."""
        words = [TextualInversion(text=text, vectors={"text_encoder": torch.ones(400, 4)}) for text in ("one", "two")]

        with pytest.raises(InvalidRequest, match="'two' makes the prompt too long"):
            InvertedText("one two", words)
