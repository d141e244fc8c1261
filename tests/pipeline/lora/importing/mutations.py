"""Files of all formats with a few of their names, shapes, types, numbers and metadata changed."""

import json
import random
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from tests.pipeline.lora.importing.formats import FORMATS, write

Header = dict[str, Any]
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "BOOL": 1, "U8": 1, "X": 1}
_PARTS = (
    "dora_scale", "alpha", "diff", "diff_b", "oft_blocks", "w_norm", "on_input", "lora_mid.weight", "hada_t1",
    "lokr_w1", "lokr_t2", "rescale", "bm.weight", "weight", "lora_magnitude_vector",
)  # fmt: skip
_KEYS = ("adapter_config", "lora_adapter_metadata", "ss_tag_frequency", "modelspec.trigger_phrase", "ss_sd_model_name")
_TEXTS = (
    "", "{}", "[]", "null", "1", '"x"', '{"lora_alpha": null}', '{"lora_alpha": "8"}', '{"alpha_pattern": [1]}',
    '{"alpha_pattern": {"a": null}}', '{"peft_type": 5}', '{"peft_type": ["LORA"]}', '{"init_lora_weights": {}}',
    '{"lora_alpha": NaN}', '{"lora_alpha": 1e400}', '{"a":' * 5000, '{"unet.lora_alpha": 0}', "[" * 999,
)  # fmt: skip
_MOST = 4_000_000


def mutated(model: Path, folder: Path, count: int, every: int = 1) -> Iterator[bytes]:
    """`count` files, each of one of `every` so many formats and with one to three changes."""
    chance = random.Random(0)  # noqa: S311
    formats = [wanted for wanted in FORMATS if wanted.model == model.name][::every]
    files = [write(wanted, model, folder).path.read_bytes() for wanted in formats]
    for _ in range(count):
        yield _mutated(chance.choice(files), chance)


def _mutated(file: bytes, chance: random.Random) -> bytes:
    length = int.from_bytes(file[:8], "little")
    header: Header = json.loads(file[8 : 8 + length])
    data = bytearray(file[8 + length :])
    metadata: dict[str, str] = header.pop("__metadata__", {})
    for _ in range(chance.choice((1, 1, 2, 3))):
        change = chance.choice((_reshape, _reshape, _retype, _swap, _rename, _drop, _damage, _fill))
        change(header, data, chance)
    if chance.random() < 0.1:
        metadata[chance.choice(_KEYS)] = chance.choice(_TEXTS)
    return _packed(header, data, metadata, fits=chance.random() < 0.9)


def _reshape(header: Header, data: bytearray, chance: random.Random) -> None:
    entry = header[chance.choice(list(header))]
    shape, size = entry["shape"], prod(entry["shape"])
    side = chance.choice([number for number in range(1, min(size, 5000) + 1) if size % number == 0] or [1])
    rest = size // side
    entry["shape"] = chance.choice(
        (
            [side, rest], [size], [side, rest, 1, 1], [1, 1, side, rest], [side, 1, rest], [], shape[::-1],
            [1, *shape], [*shape, 1], [other for other in shape if other != 1], [0, *shape[1:]],
        )
    )  # fmt: skip


def _retype(header: Header, data: bytearray, chance: random.Random) -> None:
    header[chance.choice(list(header))]["dtype"] = chance.choice(list(_BYTES))


def _swap(header: Header, data: bytearray, chance: random.Random) -> None:
    first, second = chance.choice(list(header)), chance.choice(list(header))
    header[first], header[second] = header[second], header[first]


def _rename(header: Header, data: bytearray, chance: random.Random) -> None:
    name = chance.choice(list(header))
    layer = name.rsplit(".", 1)[0]
    names = (f"{name}x", layer, f"x.{name}", f"{layer}.{chance.choice(_PARTS)}", name.replace("w1", "w2"))
    header[chance.choice(names)] = header.pop(name)


def _drop(header: Header, data: bytearray, chance: random.Random) -> None:
    if len(header) > 1:
        del header[chance.choice(list(header))]


def _damage(header: Header, data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 8, 64))):
        data[chance.randrange(len(data))] = chance.randrange(256)


def _fill(header: Header, data: bytearray, chance: random.Random) -> None:
    start, end = header[chance.choice(list(header))]["data_offsets"]
    data[start:end] = chance.choice((b"\0", b"\xff", b"\x7f")) * (end - start)


def _packed(header: Header, data: bytearray, metadata: dict[str, str], *, fits: bool) -> bytes:
    """The file with its tensors one after the other; where it `fits`, each has the bytes that its shape asks for."""
    packed = bytearray()
    for entry in header.values():
        start, end = entry["data_offsets"]
        own = bytes(data[start:end])
        wanted = prod(entry["shape"]) * _BYTES.get(entry["dtype"], 8)
        if fits and wanted <= _MOST:
            own = (own * (wanted // max(len(own), 1) + 1))[:wanted] if own else bytes(wanted)
        entry["data_offsets"] = [len(packed), len(packed) + len(own)]
        packed += own
    text = json.dumps({"__metadata__": metadata, **header}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(packed)
