"""The nodes of a ComfyUI graph, from its API's form or its editor's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MOST_NODES: Final = 2000
# The editor keeps values without their names, in this order; "" is one that only it knows.
_WIDGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
    "KSampler (Efficient)": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "RandomNoise": ("noise_seed",),
    "CFGGuider": ("cfg",),
    "SamplerCustom": ("add_noise", "noise_seed", "", "cfg"),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeSDXL": (
        "width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l",
    ),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "VAELoader": ("vae_name",),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "RescaleCFG": ("multiplier",),
    "PerturbedAttentionGuidance": ("scale",),
    "FreeU": ("b1", "b2", "s1", "s2"),
    "PrimitiveNode": ("value",),
    "Seed (rgthree)": ("seed",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """One node: an input is a value, or a link, which is a list of another node's id and the number of its output."""

    id: str
    kind: str
    inputs: Mapping[str, Any]


def nodes_of(graph: object) -> dict[str, Node]:
    """The nodes of a graph.

    Args:
        graph: untrusted JSON.

    Returns:
        By id, no more than MOST_NODES; what is no node is left out.
    """
    if not isinstance(graph, Mapping):
        return {}
    if isinstance(graph.get("nodes"), list):
        return _from_editor(graph)
    wrapped = graph.get("prompt")
    entries = wrapped if isinstance(wrapped, Mapping) and "class_type" not in wrapped else graph
    return {
        str(key): Node(str(key), str(entry["class_type"])[:100], inputs)
        for key, entry in list(entries.items())[:MOST_NODES]
        if isinstance(entry, Mapping) and isinstance(entry.get("class_type"), str)
        if isinstance(inputs := entry.get("inputs"), Mapping)
    }


def _from_editor(graph: Mapping[str, Any]) -> dict[str, Node]:
    """The nodes of a `workflow`; those that are muted or bypassed are left out."""
    links = graph.get("links")
    ends = {
        str(link[0]): [str(link[1]), link[2]]
        for link in (links if isinstance(links, list) else [])[: 4 * MOST_NODES]
        if isinstance(link, list) and len(link) >= 3
    }
    found = {}
    for entry in graph["nodes"][:MOST_NODES]:
        if (
            isinstance(entry, Mapping)
            and isinstance(kind := entry.get("type"), str)
            and entry.get("mode") not in (2, 4)
        ):
            found[str(entry.get("id"))] = Node(str(entry.get("id")), kind[:100], _inputs(entry, kind, ends))
    return found


def _inputs(entry: Mapping[str, Any], kind: str, ends: Mapping[str, list[Any]]) -> dict[str, Any]:
    widgets, inputs = entry.get("widgets_values"), entry.get("inputs")
    named: dict[str, Any] = dict(widgets) if isinstance(widgets, Mapping) else {}
    if isinstance(widgets, list):
        named = {name: value for name, value in zip(_WIDGETS.get(kind, ()), widgets, strict=False) if name}
    for own in inputs if isinstance(inputs, list) else []:
        if isinstance(own, Mapping) and isinstance(name := own.get("name"), str) and str(own.get("link")) in ends:
            named[name] = ends[str(own.get("link"))]
    return named
