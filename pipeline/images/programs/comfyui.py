"""ComfyUI's `prompt`: the graph of nodes that made an image, read backwards from its first sampler.

Names of nodes differ between packs; what their inputs are called hardly does, so inputs are what is read here.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.images.programs.comfyui_nodes import MOST_NODES, Node, nodes_of
from pipeline.images.programs.parameters import (
    MOST_LEFT,
    MOST_LORAS,
    MOST_TEXT,
    NamedLora,
    ProgramParameters,
    named,
    number,
    text,
    whole,
)

_DEEPEST: Final = 64
_MOST_SAMPLERS: Final = 16
_SAMPLED: Final = ("steps", "sigmas")
_SEEDS: Final = ("seed", "noise_seed")
_PLAIN: Final = ("value", "int", "float", "number", "Number", "text", "string", "populated_text", "STRING")
_TEXTS: Final = (
    "populated_text", "text", "text_g", "text_l", "prompt", "string", "value", "text_positive", "wildcard_text",
    "string_a", "string_b", "text_a", "text_b", "text1", "text2", "clip_l", "t5xxl",
)  # fmt: skip
_CONDITIONINGS: Final = (
    "conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from", "cond1", "cond2",
)  # fmt: skip
_LATENTS: Final = ("latent_image", "latent", "samples", "optional_latent", "image", "pixels", "images")
_RESOLUTION: Final = re.compile(r"(\d{2,5})\s*[x×]\s*(\d{2,5})")
_SAVES: Final = re.compile(r"save|preview|output", re.IGNORECASE)
_LORA_STACK: Final = re.compile(r"(?:lora_name_|lora_)(\d{1,2})")
_STRENGTHS: Final = ("model_weight_{}", "model_str_{}", "lora_wt_{}", "strength_{}")
_CLIP_STRENGTHS: Final = ("clip_weight_{}", "clip_str_{}")
# What is no more than how a graph is wired, or is read above.
_SILENT: Final = re.compile(
    r"^(CLIPTextEncode.*|.*CLIPTextEncode.*|KSampler.*|SamplerCustom.*|.*Scheduler|.*Guider|RandomNoise|VAEDecode.*"
    r"|VAEEncode|CheckpointLoader.*|UNETLoader|.*CLIPLoader.*|.*Lora.*|.*LoRA.*|Empty.*Latent.*|SaveImage.*"
    r"|PreviewImage.*|Reroute.*|Primitive.*|.*Seed.*|.*String.*|.*Text.*|Conditioning(Combine|Concat|ZeroOut|Average)"
    r"|CLIPSetLastLayer|RescaleCFG|FreeU|PerturbedAttentionGuidance"
    r"|Note|ShowText.*|Efficient Loader|Eff\. Loader.*|.*Any ?Switch.*|Int.*|Float.*)$"
)
_AMOUNTS: Final = (
    ("RescaleCFG", "multiplier", "guidance_rescale"),
    ("PerturbedAttentionGuidance", "scale", "pag"),
)
_HANDS_ON: Final = re.compile(r"Reroute|Any ?Switch")
_OWN_VAE: Final = frozenset({"", "Baked VAE"})
_CLASS_OF_SPACING: Final = {
    "KarrasScheduler": "karras", "ExponentialScheduler": "exponential", "BetaSamplingScheduler": "beta",
    "AlignYourStepsScheduler": "ays", "SDTurboScheduler": "trailing",
}  # fmt: skip


def read_comfyui(graph: object) -> ProgramParameters:
    """Read a graph.

    Args:
        graph: the JSON of `prompt`, or of `workflow` where there is no other.

    Returns:
        What its first sampler was given; passes after that, and what changes it otherwise, are in `left`.
    """
    reader = _Reader(nodes_of(graph))
    sampler = reader.first_sampler()
    return ProgramParameters(program="ComfyUI") if sampler is None else reader.parameters(sampler)


class _Reader:
    """A graph, with what was already followed in it: links of an untrusted graph may go in circles.

    Args:
        nodes: by their ids.
    """

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._sources: dict[str, Node | None] = {}

    def first_sampler(self) -> Node | None:
        """The sampler of the saved image that no other sampler stands before.

        Returns:
            None in a graph without one.
        """
        ends = self._saves() or list(self._nodes.values())
        samplers = [node for node in self._before(ends) if _is_sampler(node)][:_MOST_SAMPLERS]
        first = [node for node in samplers if not self._samplers_before(node)]
        return next(iter(first or samplers), None)

    def _samplers_before(self, sampler: Node) -> list[Node]:
        latents = [node for name in _LATENTS if (node := self._at(sampler, name)) is not None]
        return [node for node in self._before(latents) if _is_sampler(node) and node is not sampler]

    def parameters(self, sampler: Node) -> ProgramParameters:
        """What a sampler was given.

        Args:
            sampler: a node of the graph.

        Returns:
            What it says, and what of the graph is left out.
        """
        width, height = self._size(sampler)
        kind = self._class_behind(sampler, ("sigmas",))
        loaders, loras = self._models(sampler)
        guided = self._at(sampler, "guider") or sampler
        return ProgramParameters(
            program="ComfyUI",
            prompt=self._words(guided, ("positive", "conditioning")),
            negative=self._words(guided, ("negative",)),
            seed=whole(self._value(sampler, _SEEDS, ("noise",))),
            steps=whole(self._value(sampler, ("steps",), ("sigmas",))),
            guidance=number(self._value(sampler, ("cfg",), ("guider",))),
            sampler=text(self._value(sampler, ("sampler_name",), ("sampler",))),
            spacing=text(self._value(sampler, ("scheduler",), ("sigmas",))) or _CLASS_OF_SPACING.get(kind, ""),
            width=width,
            height=height,
            model=next((name for name in loaders if name), ""),
            loras=loras,
            options=self._options(sampler),
            left=self._left(sampler),
        )

    def _at(self, node: Node, name: str) -> Node | None:
        """The node that an input is linked to, past those that hand on the first of what they are given."""
        found = self._linked(node.inputs.get(name))
        if found is None or not _HANDS_ON.match(found.kind):
            return found
        if found.id not in self._sources:
            self._sources[found.id] = self._source(found)
        return self._sources[found.id]

    def _source(self, node: Node) -> Node | None:
        found: Node | None = node
        for _ in range(_DEEPEST):
            if found is None or not _HANDS_ON.match(found.kind):
                break
            found = next((own for link in found.inputs.values() if (own := self._linked(link)) is not None), None)
        return found

    def _linked(self, link: object) -> Node | None:
        return self._nodes.get(str(link[0])) if isinstance(link, list) and len(link) == 2 else None

    def _before(self, ends: list[Node]) -> list[Node]:
        """All nodes that lead to some, themselves included, nearest first."""
        found: dict[str, Node] = {}
        waiting = deque(ends)
        while waiting and len(found) < MOST_NODES:
            node = waiting.popleft()
            if node.id in found:
                continue
            found[node.id] = node
            waiting += [
                own for name in node.inputs if (own := self._at(node, name)) is not None and own.id not in found
            ]
        return list(found.values())

    def _value(self, node: Node, names: tuple[str, ...], ways: tuple[str, ...] = ()) -> object:
        """The first input of those names that is no link, of the node, or of what is linked there or along `ways`."""
        steps = [node, *(own for way in ways if (own := self._at(node, way)) is not None)]
        for step in steps:
            for name in names:
                if not isinstance(step.inputs.get(name), list | None):
                    return step.inputs[name]
                if (linked := self._at(step, name)) is not None:
                    return self._constant(linked, names)
        return None

    def _constant(self, node: Node | None, names: tuple[str, ...]) -> object:
        for _ in range(_DEEPEST):
            if node is None:
                return None
            plain = [own for name in (*names, *_PLAIN) if isinstance(own := node.inputs.get(name), int | float | str)]
            if plain:
                return plain[0]
            node = next((own for name in node.inputs if (own := self._at(node, name)) is not None), None)
        return None

    def _words(self, node: Node, roles: tuple[str, ...]) -> str:
        """The texts that lead to an input, joined; a node that has both prompts is left by the same role."""
        said: dict[str, None] = {}
        waiting = [(node, (*roles, *(f"{role}_prompt" for role in roles)))]
        seen: set[str] = set()
        while waiting and len(seen) < _DEEPEST:
            step, names = waiting.pop(0)
            if step.id in seen or step.kind == "ConditioningZeroOut":
                continue
            seen.add(step.id)
            for name in names:
                if own := text(step.inputs.get(name)):
                    said[own] = None
                elif (linked := self._at(step, name)) is not None:
                    waiting.append((linked, (*roles, *_TEXTS, *_CONDITIONINGS)))
        return ", ".join(said)[:MOST_TEXT]

    def _size(self, sampler: Node) -> tuple[int | None, int | None]:
        """Of the empty latent, or of what is named like it, that leads to the sampler."""
        starts = [own for name in _LATENTS if (own := self._at(sampler, name)) is not None]
        for node in self._before(starts):
            for names in (("width", "height"), ("empty_latent_width", "empty_latent_height")):
                width, height = (whole(self._value(node, (name,))) for name in names)
                if width and height:
                    return width, height
            if match := _RESOLUTION.search(text(node.inputs.get("resolution"))[:60]):
                return int(match[1]), int(match[2])
        return None, None

    def _models(self, sampler: Node) -> tuple[list[str], tuple[NamedLora, ...]]:
        """The names of the model files and the LoRAs on the way from them to the sampler."""
        models, loras = [], []
        starts = [own for name in ("model", "guider") if (own := self._at(sampler, name)) is not None]
        waiting, seen = deque(starts), set[str]()
        while waiting and len(seen) < MOST_NODES:
            node = waiting.popleft()
            if node.id in seen:
                continue
            seen.add(node.id)
            loras += list(_loras(node))
            models += [named(self._value(node, (name,))) for name in ("ckpt_name", "unet_name", "base_ckpt_name")]
            ways = ("model", "lora_stack", "optional_lora_stack")
            waiting += [own for name in ways if (own := self._at(node, name)) is not None]
        return models, tuple(dict.fromkeys(reversed(loras)))[:MOST_LORAS]

    def _class_behind(self, node: Node, names: tuple[str, ...]) -> str:
        return next((own.kind for name in names if (own := self._at(node, name)) is not None), "")

    def _options(self, sampler: Node) -> tuple[tuple[str, str], ...]:
        found: dict[str, str] = {}
        for node in self._before([sampler]):
            layer = whole(node.inputs.get("stop_at_clip_layer", node.inputs.get("clip_skip")))
            if layer is not None and layer < 0:
                found.setdefault("clip_skip", f"{-layer}")
            for kind, name, option in _AMOUNTS:
                if node.kind == kind and (amount := number(node.inputs.get(name))):
                    found.setdefault(option, f"{amount:g}")
            factors = {name: number(node.inputs.get(name)) for name in ("b1", "b2", "s1", "s2")}
            if node.kind == "FreeU" and (words := [f"{name}={own:g}" for name, own in factors.items() if own]):
                found.setdefault("freeu", " ".join(words))
        if vaes := self._vaes(sampler):
            found["vae"] = vaes[0]
        return tuple(found.items())

    def _vaes(self, sampler: Node) -> list[str]:
        """The names of VAEs beside the model's own, each once."""
        nodes = self._before([*self._saves(), sampler])
        names = (named(node.inputs.get("vae_name")).removesuffix(".vae") for node in nodes)
        return [name for name in dict.fromkeys(names) if name not in _OWN_VAE]

    def _saves(self) -> list[Node]:
        return [node for node in self._nodes.values() if _SAVES.search(node.kind)]

    def _left(self, sampler: Node) -> tuple[str, ...]:
        """What of the graph is read as nothing of ours, in words."""
        nodes = self._before([*self._saves(), sampler])
        others = sum(_is_sampler(node) for node in nodes) - 1
        left = [f"{others} more sampling {'pass' if others == 1 else 'passes'}"] if others > 0 else []
        strength = number(self._value(sampler, ("denoise",), ("sigmas",)))
        if strength is not None and strength < 1:
            left.append(f"denoise {strength:g}")
        left += [f"vae {name}" for name in self._vaes(sampler)[1:]]
        kinds = dict.fromkeys(
            node.kind for node in nodes if not _SILENT.match(node.kind) and "vae_name" not in node.inputs
        )
        return tuple([*left, *(text(kind[:60]) for kind in kinds if kind)][:MOST_LEFT])


def _is_sampler(node: Node) -> bool:
    """Whether it has steps, or a link to them, and a latent to begin with."""
    return any(name in node.inputs for name in _SAMPLED) and any(name in node.inputs for name in _LATENTS)


def _loras(node: Node) -> Iterator[NamedLora]:
    """The LoRAs that a node loads: one, a stack of numbered ones, or rgthree's list of them."""
    inputs = node.inputs
    if name := named(inputs.get("lora_name")):
        yield from _lora(name, inputs.get("strength_model", inputs.get("lora_model_strength", 1)), inputs)
    for key, value in inputs.items():
        if isinstance(value, Mapping) and value.get("on") and (name := named(value.get("lora"))):
            yield from _lora(name, value.get("strength", 1), {"strength_clip": value.get("strengthTwo")})
        elif (match := _LORA_STACK.fullmatch(key)) and (name := named(value if isinstance(value, str) else "")):
            clip = _numbered(inputs, _CLIP_STRENGTHS, match[1])
            if inputs.get(f"switch_{match[1]}", "On") == "On":
                yield from _lora(name, _numbered(inputs, _STRENGTHS, match[1]), {"strength_clip": clip})


def _numbered(inputs: Mapping[str, Any], keys: tuple[str, ...], number_of: str) -> object:
    return next((inputs[key] for pattern in keys if (key := pattern.format(number_of)) in inputs), None)


def _lora(name: str, strength: object, inputs: Mapping[str, Any]) -> Iterator[NamedLora]:
    model = number(strength)
    model = 1.0 if model is None else model
    clip = number(
        inputs.get("strength_clip", inputs.get("lora_clip_strength", 0 if "strength_model" in inputs else None))
    )
    if name != "None" and (model or clip):
        yield NamedLora(name=name, settings=f":{model:g}" if clip in (None, model) else f":{clip:g}:{model:g}")
