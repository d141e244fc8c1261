"""A graph that runs as it was drawn, and requests of the model that it belongs to."""

from operator import attrgetter

from pipeline.engine.compile.compile_process import CompileSpec, trace
from pipeline.engine.compile.forward import CompiledForward, Forward
from pipeline.requests.image_request import ImageRequest, LoraUse
from tests.pipeline.conftest import a_request


def request(**changes: object) -> ImageRequest:
    return a_request(**{"model": "speck", **changes})


def with_lora(key: str, **changes: object) -> ImageRequest:
    return request(loras=(LoraUse(key=key, name=key),), **changes)


def as_drawn(spec: CompileSpec, forward: Forward) -> CompiledForward:
    """Stands in for a compiler: the graph itself, run operation by operation."""
    exported = trace(spec)
    return CompiledForward(graph=exported.module, weights=tuple(attrgetter(name)(forward) for name in exported.weights))
