"""Images as other programs save them, generated: their texts are of this repository."""

import io
import json
from typing import Any, Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_IFD: Final = 0x8769
_USER_COMMENT: Final = 0x9286

A1111: Final = (
    "a red fox (sitting:1.2), café <lora:crayon:0.8> <lora:film:0.5:0.7>\nin snow\n"
    "Negative prompt: blurry, text\nsecond line\n"
    "Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1234567890, Size: 832x1216, "
    "Model hash: 31e35c80fc, Model: sd_xl_base_1.0, VAE hash: 63aeecb90f, VAE: sdxl_vae.safetensors, "
    "Clip skip: 2, Variation seed: 7, Variation seed strength: 0.25, "
    'ControlNet 0: "Module: canny, Model: xl, Weight: 1", '
    'Lora hashes: "crayon: 0123456789ab, film: ba9876543210", TI hashes: "bad: c74b4e810b03", '
    "Hires upscale: 2, Version: v1.9.4"
)
FORGE: Final = (
    "owl\nSteps: 4, Sampler: Euler a, Schedule type: SGM Uniform, CFG scale: 1, Seed: 3, Size: 512x512, "
    'Model hash: e869ac7d69, Model: "a, strange: name", RNG: CPU, Version: f2.0.1v1.10.1-previous-659'
)
COMFYUI: Final[dict[str, Any]] = {
    "3": {"class_type": "KSampler", "inputs": {
        "seed": 987654321, "steps": 22, "cfg": 7.0, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1,
        "model": ["10", 0], "positive": ["20", 0], "negative": ["20", 1], "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "xl\\juggernaut.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": ["30", 0], "height": 1152, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncodeSDXL", "inputs": {"text_g": "red fox", "text_l": "red fox", "clip": ["9", 0]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": ["31", 0], "clip": ["9", 0]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["40", 0], "vae": ["4", 2]}},
    "9": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2, "clip": ["10", 1]}},
    "10": {"class_type": "LoraLoader", "inputs": {
        "lora_name": "crayon.safetensors", "strength_model": 0.8, "strength_clip": 0.5, "model": ["11", 0],
        "clip": ["4", 1]}},
    "11": {"class_type": "LoraLoaderModelOnly", "inputs": {
        "lora_name": "film.safetensors", "strength_model": 0.6, "model": ["4", 0]}},
    "20": {"class_type": "ControlNetApplyAdvanced", "inputs": {
        "strength": 1, "positive": ["6", 0], "negative": ["7", 0], "image": ["22", 0]}},
    "22": {"class_type": "LoadImage", "inputs": {"image": "pose.png"}},
    "30": {"class_type": "PrimitiveInt", "inputs": {"value": 896}},
    "31": {"class_type": "String Literal", "inputs": {"string": "blurry"}},
    "39": {"class_type": "LatentUpscale", "inputs": {"samples": ["3", 0], "width": 1792, "height": 2304}},
    "40": {"class_type": "KSampler", "inputs": {
        "seed": 1, "steps": 10, "cfg": 5.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 0.5,
        "model": ["10", 0], "positive": ["20", 0], "negative": ["20", 1], "latent_image": ["39", 0]}},
    "50": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "ComfyUI"}},
}  # fmt: skip
CUSTOM: Final[dict[str, Any]] = {
    "1": {"class_type": "SamplerCustomAdvanced", "inputs": {
        "noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["6", 0]}},
    "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 2**63}},
    "3": {"class_type": "CFGGuider", "inputs": {
        "cfg": 3.5, "model": ["7", 0], "positive": ["8", 0], "negative": ["9", 0]}},
    "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler_ancestral"}},
    "5": {"class_type": "BasicScheduler", "inputs": {
        "steps": 9, "scheduler": "beta", "denoise": 1.0, "model": ["7", 0]}},
    "6": {"class_type": "EmptyLatentImage", "inputs": {"width": 640, "height": 768, "batch_size": 1}},
    "7": {"class_type": "Power Lora Loader (rgthree)", "inputs": {
        "lora_1": {"on": True, "lora": "ink.safetensors", "strength": 0.9},
        "lora_2": {"on": False, "lora": "off.safetensors", "strength": 1}, "model": ["10", 0]}},
    "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "an owl", "clip": ["10", 1]}},
    "9": {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["8", 0]}},
    "10": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "pony.safetensors"}},
}  # fmt: skip
EFFICIENT: Final[dict[str, Any]] = {
    "1": {"class_type": "KSampler (Efficient)", "inputs": {
        "seed": ["3", 3], "steps": 18, "cfg": 6, "sampler_name": "uni_pc", "scheduler": "normal", "denoise": 1,
        "model": ["2", 0], "positive": ["2", 1], "negative": ["2", 2], "latent_image": ["2", 3]}},
    "2": {"class_type": "Efficient Loader", "inputs": {
        "ckpt_name": "base.safetensors", "vae_name": "Baked VAE", "clip_skip": -2, "lora_name": "None",
        "positive": "a boat", "negative": "people", "empty_latent_width": 512, "empty_latent_height": 640}},
    "3": {"class_type": "Seed (rgthree)", "inputs": {"seed": 77}},
}  # fmt: skip
EDITOR: Final[dict[str, Any]] = {
    "nodes": [
        {"id": 1, "type": "KSampler", "widgets_values": [5, "randomize", 12, 4.5, "heun", "simple", 1], "inputs": [
            {"name": "model", "link": 1}, {"name": "positive", "link": 2}, {"name": "negative", "link": 3},
            {"name": "latent_image", "link": 4}]},
        {"id": 2, "type": "CheckpointLoaderSimple", "widgets_values": ["old.ckpt"]},
        {"id": 3, "type": "CLIPTextEncode", "widgets_values": ["a hill"], "inputs": []},
        {"id": 4, "type": "CLIPTextEncode", "widgets_values": ["rain"], "inputs": []},
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": [512, 384, 1]},
    ],
    "links": [[1, 2, 0, 1, 0, "MODEL"], [2, 3, 0, 1, 1, "C"], [3, 4, 0, 1, 2, "C"], [4, 5, 0, 1, 3, "LATENT"]],
}  # fmt: skip
INVOKEAI: Final[dict[str, Any]] = {
    "positive_prompt": "a lake", "negative_prompt": "boats", "seed": 11, "steps": 30, "cfg_scale": 7.5,
    "scheduler": "euler_a", "width": 1024, "height": 768,
    "model": {"name": "Juggernaut XL", "hash": "blake3:ab12cd34ef"},
    "loras": [{"model": {"name": "crayon"}, "weight": 0.75}], "controlnets": [{"model": "x"}],
}  # fmt: skip
NOVELAI: Final[dict[str, Any]] = {
    "prompt": "a cat", "uc": "lowres", "seed": 12, "steps": 28, "scale": 5.0, "sampler": "k_euler_ancestral",
    "noise_schedule": "karras", "width": 832, "height": 1216, "cfg_rescale": 0.4,
}  # fmt: skip
FOOOCUS: Final[dict[str, Any]] = {
    "prompt": "a bird", "negative_prompt": "cage", "seed": "13", "steps": 30, "guidance_scale": 4.0,
    "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "resolution": "(1152, 896)",
    "base_model": "jugger.safetensors", "base_model_hash": "aeb7e9e689", "loras": [["film", 0.25, "ba98765432"]],
    "clip_skip": 2, "styles": "['Fooocus V2']",
}  # fmt: skip
SWARMUI: Final[dict[str, Any]] = {"sui_image_params": {
    "prompt": "a tree", "negativeprompt": "fog", "seed": 14, "steps": 20, "cfgscale": 7.0, "sampler": "euler",
    "scheduler": "normal", "width": 1024, "height": 1024, "model": "base/xl.safetensors", "loras": ["crayon"],
    "loraweights": ["0.6"],
}}  # fmt: skip


def png(texts: dict[str, str], *, compressed: bool = False) -> bytes:
    """With tEXt or iTXt chunks, as Pillow writes them for these programs, or with zTXt."""
    info, file = PngInfo(), io.BytesIO()
    for keyword, text in texts.items():
        info.add_text(keyword, text, zip=compressed)
    Image.new("RGB", (8, 8), "teal").save(file, "PNG", pnginfo=info)
    return file.getvalue()


def with_comment(kind: str, comment: bytes) -> bytes:
    """A JPEG, WebP or PNG with an EXIF comment, whose first eight bytes name its encoding."""
    exif = Image.Exif()
    exif[0x0131] = "made by a test"
    exif.get_ifd(_IFD)[_USER_COMMENT] = comment
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, kind, exif=exif)
    return file.getvalue()


def with_make(kind: str, graph: dict[str, Any]) -> bytes:
    """As ComfyUI saves a WebP: the graph behind its keyword, in the name of the camera."""
    exif = Image.Exif()
    exif[0x0110] = f"prompt:{json.dumps(graph)}"
    exif[0x010F] = f"workflow:{json.dumps(EDITOR)}"
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, kind, exif=exif)
    return file.getvalue()


def a1111_comment(text: str, encoding: str = "utf-16-be") -> bytes:
    """As AUTOMATIC1111 writes it."""
    return b"UNICODE\0" + text.encode(encoding)
