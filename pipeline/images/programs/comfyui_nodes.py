"""The nodes of a ComfyUI graph, from its API's form or its editor's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MOST_NODES: Final = 2000
_DEEPEST: Final = 64
_MUTED: Final = 2
_BYPASSED: Final = 4
_SIDES: Final = ("inputs", "outputs")
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
    """The nodes of a `workflow`; those that are muted or bypassed are left out, and links lead past the latter."""
    entries = {
        str(entry.get("id")): entry
        for entry in graph["nodes"][:MOST_NODES]
        if isinstance(entry, Mapping) and isinstance(entry.get("type"), str)
    }
    own = {link_id: end for link in _list(graph.get("links"))[: 4 * MOST_NODES] for link_id, end in _end(link)}
    ends = {link_id: _past(end, entries, own) for link_id, end in own.items()}
    return {
        node_id: Node(node_id, entry["type"][:100], _inputs(entry, entry["type"], ends))
        for node_id, entry in entries.items()
        if entry.get("mode") != _MUTED and not _leads_on(entry)
    }


def _end(link: object) -> Iterator[tuple[str, list[Any]]]:
    """A link's id, and the node and output that it comes from; a list, or in newer files an object."""
    if isinstance(link, list) and len(link) >= 3:
        yield str(link[0]), [str(link[1]), link[2]]
    elif isinstance(link, Mapping):
        yield str(link.get("id")), [str(link.get("origin_id")), link.get("origin_slot")]


def _leads_on(entry: Mapping[str, Any]) -> bool:
    """Whether a node hands on what it is given."""
    return entry.get("mode") == _BYPASSED or entry["type"] == "Reroute"


def _past(end: list[Any], entries: Mapping[str, Mapping[str, Any]], ends: Mapping[str, list[Any]]) -> list[Any]:
    """Where a link comes from in the end."""
    for _ in range(_DEEPEST):
        entry = entries.get(end[0])
        if entry is None or not _leads_on(entry) or (further := ends.get(_handed_on(entry, end[1]))) is None:
            break
        end = further
    return end


def _handed_on(entry: Mapping[str, Any], output: object) -> str:
    """The link that becomes an output: of the same place and type, or else the first of that type."""
    inputs, outputs = ([own for own in _list(entry.get(key)) if isinstance(own, Mapping)] for key in _SIDES)
    place = output if isinstance(output, int) and not isinstance(output, bool) and output >= 0 else 0
    kind = outputs[place].get("type") if place < len(outputs) else None
    fit = [own for own in (*inputs[place : place + 1], *inputs) if own.get("type") == kind] or inputs
    return str(fit[0].get("link")) if fit else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _inputs(entry: Mapping[str, Any], kind: str, ends: Mapping[str, list[Any]]) -> dict[str, Any]:
    widgets = entry.get("widgets_values")
    named: dict[str, Any] = dict(widgets) if isinstance(widgets, Mapping) else {}
    if isinstance(widgets, list):
        named = {name: value for name, value in zip(_WIDGETS.get(kind, ()), widgets, strict=False) if name}
    for own in _list(entry.get("inputs")):
        if isinstance(own, Mapping) and isinstance(name := own.get("name"), str) and str(own.get("link")) in ends:
            named[name] = ends[str(own.get("link"))]
    return named
