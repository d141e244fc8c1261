"""Images of other programs: what they say is read as far as it goes, and nothing that they hold raises."""

import contextlib
import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.images.file_texts import file_texts
from pipeline.images.programs.parameters import NamedLora, ProgramParameters
from pipeline.images.programs.reading import read_parameters
from tests.pipeline.images.hostile import chunk, png_of
from tests.pipeline.images.programs import program_images
from tests.tiers import examples

_A1111: Final = ProgramParameters(
    program="AUTOMATIC1111", prompt="a red fox (sitting:1.2), café\nin snow", negative="blurry, text\nsecond line",
    seed=1234567890, steps=25, guidance=6.5, sampler="DPM++ 2M Karras", width=832, height=1216,
    model="sd_xl_base_1.0", model_hash="31e35c80fc",
    loras=(
        NamedLora(name="crayon", settings=":0.8", hash="0123456789ab"),
        NamedLora(name="film", settings=":0.5:0.7", hash="ba9876543210"),
    ),
    inversions=(NamedLora(name="bad", hash="c74b4e810b03"),),
    options=(("clip_skip", "2"), ("variation", "7:0.25"), ("vae", "sdxl_vae")),
    left=("ControlNet 0 Module: canny, Model: xl, Weight: 1", "Hires upscale 2"),
)  # fmt: skip
_FORGE: Final = ProgramParameters(
    program="Forge", prompt="owl", seed=3, steps=4, guidance=1.0, sampler="Euler a", spacing="SGM Uniform",
    width=512, height=512, model="a, strange: name", model_hash="e869ac7d69",
)  # fmt: skip
_COMFYUI: Final = ProgramParameters(
    program="ComfyUI", prompt="red fox", negative="blurry", seed=987654321, steps=22, guidance=7.0,
    sampler="dpmpp_2m", spacing="karras", width=896, height=1152, model="juggernaut",
    loras=(NamedLora(name="film", settings=":0:0.6"), NamedLora(name="crayon", settings=":0.5:0.8")),
    options=(("clip_skip", "2"),),
    left=("1 more sampling pass", "ControlNetApplyAdvanced", "LoadImage", "LatentUpscale"),
)  # fmt: skip
_CUSTOM: Final = ProgramParameters(
    program="ComfyUI", prompt="an owl", seed=2**63, steps=9, guidance=3.5, sampler="euler_ancestral", spacing="beta",
    width=640, height=768, model="pony", loras=(NamedLora(name="ink", settings=":0.9"),),
)  # fmt: skip
_EFFICIENT: Final = ProgramParameters(
    program="ComfyUI", prompt="a boat", negative="people", seed=77, steps=18, guidance=6.0, sampler="uni_pc",
    spacing="normal", width=512, height=640, model="base", options=(("clip_skip", "2"),),
)  # fmt: skip
_EDITOR: Final = ProgramParameters(
    program="ComfyUI", prompt="a hill", negative="rain", seed=5, steps=12, guidance=4.5, sampler="heun",
    spacing="simple", width=512, height=384, model="old",
)  # fmt: skip
_INVOKEAI: Final = ProgramParameters(
    program="InvokeAI", prompt="a lake", negative="boats", seed=11, steps=30, guidance=7.5, sampler="euler_a",
    width=1024, height=768, model="Juggernaut XL", model_hash="ab12cd34ef",
    loras=(NamedLora(name="crayon", settings=":0.75"),), left=("controlnets",),
)  # fmt: skip
_NOVELAI: Final = ProgramParameters(
    program="NovelAI", prompt="a cat", negative="lowres", seed=12, steps=28, guidance=5.0, sampler="euler_ancestral",
    spacing="karras", width=832, height=1216, options=(("guidance_rescale", "0.4"),),
)  # fmt: skip
_FOOOCUS: Final = ProgramParameters(
    program="Fooocus", prompt="a bird", negative="cage", seed=13, steps=30, guidance=4.0, sampler="dpmpp_2m_sde_gpu",
    spacing="karras", width=1152, height=896, model="jugger", model_hash="aeb7e9e689",
    loras=(NamedLora(name="film", settings=":0.25", hash="ba98765432"),), options=(("clip_skip", "2"),),
    left=("styles",),
)  # fmt: skip
_SWARMUI: Final = ProgramParameters(
    program="SwarmUI", prompt="a tree", negative="fog", seed=14, steps=20, guidance=7.0, sampler="euler",
    spacing="normal", width=1024, height=1024, model="xl", loras=(NamedLora(name="crayon", settings=":0.6"),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (program_images.png({"parameters": program_images.A1111}), _A1111),
        (program_images.with_comment("JPEG", program_images.a1111_comment(program_images.A1111)), _A1111),
        (program_images.with_comment("WEBP", program_images.a1111_comment(program_images.A1111, "utf-16-le")), _A1111),
        (program_images.with_comment("PNG", program_images.a1111_comment(program_images.A1111, "utf-16")), _A1111),
        (program_images.with_comment("JPEG", b"ASCII\0\0\0" + program_images.FORGE.encode()), _FORGE),
        (program_images.with_comment("JPEG", bytes(8) + program_images.FORGE.encode()), _FORGE),
        (program_images.png({"parameters": program_images.FORGE}, compressed=True), _FORGE),
        (program_images.png({"prompt": json.dumps(program_images.COMFYUI), "workflow": "{}"}), _COMFYUI),
        (program_images.with_make("WEBP", program_images.COMFYUI), _COMFYUI),
        (
            program_images.with_comment("JPEG", program_images.a1111_comment(json.dumps(program_images.COMFYUI))),
            _COMFYUI,
        ),
        (program_images.png({"prompt": json.dumps(program_images.CUSTOM)}), _CUSTOM),
        (program_images.png({"prompt": json.dumps(program_images.EFFICIENT)}), _EFFICIENT),
        (program_images.png({"workflow": json.dumps(program_images.EDITOR)}), _EDITOR),
        (program_images.png({"invokeai_metadata": json.dumps(program_images.INVOKEAI)}), _INVOKEAI),
        (program_images.png({"Software": "NovelAI", "Comment": json.dumps(program_images.NOVELAI)}), _NOVELAI),
        (program_images.png({"parameters": json.dumps(program_images.FOOOCUS), "fooocus_scheme": "fooocus"}), _FOOOCUS),
        (program_images.png({"parameters": json.dumps(program_images.SWARMUI)}), _SWARMUI),
    ],
)
def test_an_image_of_another_program_says_how_it_was_made(file: bytes, said: ProgramParameters) -> None:
    """In every kind of file that the program saves."""
    assert read_parameters(file_texts(file)) == said


def test_stacks_of_loras_are_read() -> None:
    """By the numbers behind their names; one that is switched off, or is none, is left out."""
    stack = {
        "switch_1": "On", "lora_name_1": "crayon.safetensors", "model_weight_1": 0.8, "clip_weight_1": 0.5,
        "switch_2": "Off", "lora_name_2": "off.safetensors", "model_weight_2": 1, "clip_weight_2": 1,
        "lora_name_3": "None", "lora_stack": ["8", 0],
    }  # fmt: skip
    graph = {
        "1": {"class_type": "KSampler", "inputs": {"steps": 3, "model": ["2", 0], "latent_image": ["9", 0]}},
        "2": {"class_type": "CR Apply LoRA Stack", "inputs": {"model": ["3", 0], "lora_stack": ["7", 0]}},
        "3": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "base.safetensors"}},
        "7": {"class_type": "CR LoRA Stack", "inputs": stack},
        "8": {"class_type": "Lora Loader Stack", "inputs": {"lora_01": "film.safetensors", "strength_01": 0.4}},
    }

    said = read_parameters({"prompt": json.dumps(graph)})

    assert said.model == "base"
    assert set(said.loras) == {NamedLora(name="crayon", settings=":0.5:0.8"), NamedLora(name="film", settings=":0.4")}


def test_utf_8_where_the_format_says_latin_1_is_read_as_it_was_meant() -> None:
    """Some programs write a PNG's plain text so; Latin-1 itself stays."""
    for written, read in (("café ☕\nSteps: 1", "café ☕"), ("café\nSteps: 1", "café")):
        body = b"parameters\0" + written.encode("utf-8" if "☕" in written else "latin-1")
        assert read_parameters(file_texts(png_of(8, 8, chunk(b"tEXt", body)))).prompt == read


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"parameters": "just words\n" * 100_000},
        {"parameters": "Steps: 1" + ", a" * 100_000},
        {"parameters": "Steps: " + "9" * 5000 + ', Hashes: {"model": ' + "9" * 5000 + "}"},
        {"parameters": "Steps: x, Seed: nan, Size: 0x0, CFG scale: inf"},
        {"parameters": 'fox\nSteps: 2, Model: "' + '\\"' * 50_000},
        {"parameters": "fox\nSteps: 2, Hashes: " + "[" * 100_000},
        {"prompt": "[" * 300_000},
        {"prompt": '{"a":' * 100_000},
        {"prompt": '{"1": NaN, "2": {"class_type": "KSampler", "inputs": {"steps": NaN, "latent": Infinity}}}'},
        {
            "prompt": '{"1": {"class_type": "KSampler", "inputs": {"steps": 1, "model": ['
            + "[" * 900
            + "]" * 900
            + ", 0]}}}"
        },
        {"workflow": '{"nodes": [{"type": "KSampler", "inputs": [{"name": "x"}]}], "links": [[null, 1, 2]]}'},
        {"workflow": '{"nodes": [1, null, {"type": []}], "links": [[], 3, null]}'},
        {"invokeai_metadata": '{"loras": [1, {"model": 3}, {"model": {"name": []}}], "model": []}'},
        {"Software": "NovelAI", "Comment": '{"seed": [], "steps": {}, "sampler": 3}'},
        {"parameters": '{"base_model": {}, "loras": [[], [1, 2], "x"], "resolution": []}'},
        {"parameters": '{"sui_image_params": {"loras": [{}], "loraweights": 3}}'},
    ],
)
def test_hostile_texts_are_one_sentence_or_what_is_left_of_them(texts: dict[str, str]) -> None:
    """Deep, long, of the wrong types, with numbers that are none."""
    said: ProgramParameters | None = None
    with contextlib.suppress(UserError):
        said = read_parameters(texts)
    assert said is None or said.says_anything


def test_a_graph_may_go_in_circles() -> None:
    """Of any length, and every node may lead to every other."""
    ring: dict[str, Any] = {
        str(place): {
            "class_type": "KSampler",
            "inputs": {
                "steps": [str(place + 1), 0], "seed": [str(place + 1), 0], "latent_image": [str((place + 1) % 400), 0],
                "model": [str(place), 0], "positive": [str((place + 7) % 400), 0], "text": [str(place), 0],
            },
        }
        for place in range(400)
    }  # fmt: skip

    with pytest.raises(UserError, match="by Limner or another program"):
        read_parameters({"prompt": json.dumps(ring)})


_VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["class_type", "inputs", "steps", "seed", "model", "positive", "latent_image", "text", "lora_name", "1"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
_GRAPHS: Final = st.dictionaries(
    st.sampled_from("1234"),
    st.fixed_dictionaries(
        {"class_type": st.sampled_from(["KSampler", "LoraLoader", "CLIPTextEncode", "SaveImage", "EmptyLatentImage"])},
        optional={"inputs": st.dictionaries(
            st.sampled_from(
                ["steps", "seed", "cfg", "sampler_name", "scheduler", "model", "positive", "negative", "latent_image",
                 "text", "lora_name", "strength_model", "width", "height", "denoise", "images", "sigmas", "lora_1"]
            ),
            _VALUES | st.tuples(st.sampled_from("1234"), st.integers(0, 2)).map(list),
            max_size=8,
        )},
    ),
    max_size=4,
)  # fmt: skip
_KEYWORDS: Final = ["parameters", "UserComment", "prompt", "workflow", "invokeai_metadata", "Comment", "Software"]


@settings(max_examples=examples(60))
@given(
    st.dictionaries(
        st.sampled_from(_KEYWORDS),
        st.text(max_size=80)
        | _VALUES.map(json.dumps)
        | _GRAPHS.map(json.dumps)
        | st.text('Steps: 1,Sampler{}[]"\\\n<lora:x>', max_size=80).map("fox\nSteps: 2, ".__add__),
        max_size=3,
    )
)
def test_no_text_raises(texts: dict[str, str]) -> None:
    """But the one sentence."""
    with contextlib.suppress(UserError):
        read_parameters(texts)


@settings(max_examples=examples(40))
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.data())
def test_no_damaged_file_raises(kind: str, data: st.DataObject) -> None:
    """Wherever its bytes are changed or cut."""
    file = bytearray(program_images.with_comment(kind, program_images.a1111_comment(program_images.FORGE)))
    for _ in range(data.draw(st.integers(0, 6))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)))
    with contextlib.suppress(UserError):
        file_texts(bytes(file[:cut]))


def test_what_has_an_option_here_is_read_and_no_more_than_its_line() -> None:
    """Another line's end is none of this one, and what is told of a value stays on one."""
    said = read_parameters(
        {
            "parameters": "owl\nSteps: 4, Model: a\u2028b, pag_enabled: True, pag_scale: 3, freeu_enabled: True, "
            "freeu_b1: 1.3, freeu_s2: 0.2, Guidance window: 0.2-0.8, VAE: soft.vae.safetensors, "
            'Hires prompt: "a\\nSteps: 5", Seed: 3\nTemplate: Steps: 9, Seed: 8'
        }
    )

    assert (said.steps, said.seed, said.model) == (4, 3, "a\u2028b")
    assert dict(said.options) == {"guidance_window": "0.2-0.8", "pag": "3", "freeu": "b1=1.3 s2=0.2", "vae": "soft"}
    assert said.left == ("Hires prompt a Steps: 5",)


def test_nodes_that_have_an_option_here_are_read() -> None:
    """A VAE between sampler and image too."""
    graph = program_images.COMFYUI | {
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["60", 0]}},
        "60": {"class_type": "VAELoader", "inputs": {"vae_name": "soft.safetensors"}},
        "61": {"class_type": "FreeU", "inputs": {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2, "model": ["62", 0]}},
        "62": {"class_type": "PerturbedAttentionGuidance", "inputs": {"scale": 3.0, "model": ["11", 0]}},
        "10": {"class_type": "LoraLoaderModelOnly", "inputs": {"lora_name": "x", "model": ["61", 0]}},
    }

    said = read_parameters({"prompt": json.dumps(graph)})

    options = {"clip_skip": "2", "pag": "3", "freeu": "b1=1.1 b2=1.2 s1=0.9 s2=0.2", "vae": "soft"}
    assert (dict(said.options), said.left) == (options, ("ControlNetApplyAdvanced", "LoadImage"))


_BYPASSED = [
    {"id": 9, "type": "ControlNetApplyAdvanced", "mode": 4, "inputs": [
        {"name": "positive", "type": "CONDITIONING", "link": 12},
        {"name": "negative", "type": "CONDITIONING", "link": 13},
        {"name": "control_net", "type": "CONTROL_NET", "link": None}],
        "outputs": [{"type": "CONDITIONING"}, {"type": "CONDITIONING"}]},
    {"id": 10, "type": "LoraLoader", "mode": 4, "widgets_values": ["off.safetensors", 1, 1], "inputs": [
        {"name": "clip", "type": "CLIP", "link": None}, {"name": "model", "type": "MODEL", "link": 11}],
        "outputs": [{"type": "MODEL"}, {"type": "CLIP"}]},
    {"id": 11, "type": "Reroute", "inputs": [{"name": "", "type": "*", "link": 14}], "outputs": [{"type": "MODEL"}]},
]  # fmt: skip


@pytest.mark.parametrize("objects", [False, True])
def test_an_editors_links_lead_past_what_is_bypassed(objects: bool) -> None:
    """And past reroutes, by the types of what they hand on; newer files write links as objects."""
    links = [
        [1, 10, 0, 1, 0, "MODEL"], [2, 9, 0, 1, 1, "C"], [3, 9, 1, 1, 2, "C"], [4, 5, 0, 1, 3, "LATENT"],
        [11, 11, 0, 10, 1, "MODEL"], [12, 3, 0, 9, 0, "C"], [13, 4, 0, 9, 1, "C"], [14, 2, 0, 11, 0, "MODEL"],
    ]  # fmt: skip
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    written = [dict(zip(names, link, strict=True)) for link in links] if objects else links
    graph = {"nodes": [*program_images.EDITOR["nodes"], *_BYPASSED], "links": written}

    assert read_parameters({"workflow": json.dumps(graph)}) == _EDITOR


def test_links_that_only_go_round_end() -> None:
    """The rest is read."""
    rounds = [{"id": 9, "type": "Reroute", "inputs": [{"name": "", "link": 9}]}]
    links = [[1, 9, 0, 1, 0, "MODEL"], *program_images.EDITOR["links"][1:], [9, 9, 0, 9, 0, "*"]]
    graph = {"nodes": [*program_images.EDITOR["nodes"], *rounds], "links": links}

    assert read_parameters({"workflow": json.dumps(graph)}) == replace(_EDITOR, model="")


def test_a_switch_hands_on_its_first_input() -> None:
    """As rgthree's does, whatever the input is called."""
    switch = {"class_type": "Any Switch (rgthree)", "inputs": {"any_01": ["gone", 0], "any_02": ["10", 0]}}
    sampler = program_images.COMFYUI["3"]
    inputs = sampler["inputs"] | {"model": ["70", 0]}
    graph = program_images.COMFYUI | {"70": switch, "3": sampler | {"inputs": inputs}}

    assert read_parameters({"prompt": json.dumps(graph)}) == _COMFYUI


def test_a_cameras_comment_is_no_prompt() -> None:
    with pytest.raises(UserError, match="by Limner or another program"):
        read_parameters(file_texts(program_images.with_comment("JPEG", b"ASCII\0\0\0Screenshot, 12:30")))


def test_a_hypernetwork_leaves_the_prompt_and_is_told() -> None:
    """No request takes one, so that the image could not be asked for with it."""
    said = read_parameters({"parameters": "<lora:crayon:1> an owl, <hypernet:style:0.5>\nSteps: 4, Seed: 3"})

    assert (said.prompt, said.left) == ("an owl,", ("hypernet:style:0.5",))


def test_damaged_exif_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    """Pillow's warning would stand on the terminal with a path of this machine."""
    file = program_images.with_comment("JPEG", program_images.a1111_comment(program_images.FORGE))
    place = file.index((0x9286).to_bytes(2, "little" if b"II*" in file else "big")) + 4

    texts = file_texts(file[:place] + b"\xff\xff\xff\x7f" + file[place + 4 :])

    assert "UserComment" not in texts
    assert not recwarn.list


def test_invokeai_counts_layers_and_spaces_samplers_in_its_own_words() -> None:
    own = program_images.INVOKEAI | {"scheduler": "dpmpp_2m_k", "clip_skip": 1, "vae": {"name": "soft"}}

    said = read_parameters({"invokeai_metadata": json.dumps(own)})

    assert (said.sampler, said.spacing) == ("dpmpp_2m", "karras")
    assert dict(said.options) == {"clip_skip": "2", "vae": "soft"}


def test_swarmuis_clip_layer_and_vae_are_read() -> None:
    own = program_images.SWARMUI["sui_image_params"] | {"clipstopatlayer": -2, "vae": "xl/soft.safetensors"}

    said = read_parameters({"parameters": json.dumps({"sui_image_params": own})})

    assert dict(said.options) == {"clip_skip": "2", "vae": "soft"}
