"""Parts by their shapes: which tensors are one, and which layers they fit."""

import pytest

from pipeline.lora.format.part_header import MAX_SIDE, PartHeader, Shape

LINEAR: Shape = (16, 8)
CONVOLUTION: Shape = (16, 8, 3, 3)
LOW_RANK: dict[str, Shape] = {"down": (4, 8), "up": (16, 4)}
WIDE: dict[str, Shape] = {"down": (4, 8, 3, 3), "up": (16, 4)}
FITTING: list[tuple[dict[str, Shape], Shape]] = [
    (LOW_RANK, LINEAR),
    (LOW_RANK | {"magnitude": (16,), "scale": (1,)}, LINEAR),
    (LOW_RANK | {"magnitude_in": (8,)}, LINEAR),
    (WIDE, CONVOLUTION),
    ({"kron_1": (4, 2), "kron_2": (4, 4)}, LINEAR),
    ({"kron_1": (4, 2), "kron_2_up": (4, 3), "kron_2_down": (3, 4, 3, 3)}, CONVOLUTION),
    ({f"hada_{n}_{side}": shape for n in (1, 2) for side, shape in WIDE.items()}, CONVOLUTION),
    ({"before_down": (3, 8), "before_up": (8, 3)}, CONVOLUTION),
    ({"turn": (1, 4, 4, 4)}, CONVOLUTION),
    ({"turn": (3, 4, 4, 4), "turn_rescale": (16,)}, LINEAR),
    ({"turn_in": (2, 4, 4)}, LINEAR),
    ({"stretch": (16,)}, LINEAR),
    ({"stretch_both": (16,)}, CONVOLUTION),
    ({"stretch_in": (8,)}, CONVOLUTION),
    ({"difference": CONVOLUTION}, CONVOLUTION),
]


@pytest.mark.parametrize(("shapes", "weight"), FITTING)
def test_a_part_fits_its_layer_and_no_other(shapes: dict[str, Shape], weight: Shape) -> None:
    """Neither one with more outputs and inputs, nor one of the same numbers the other way around."""
    part = PartHeader.of(shapes)

    assert part.fits(weight)
    assert not part.fits((2 * weight[0], 2 * weight[1], *weight[2:]))
    assert not part.fits((weight[1], weight[0], *weight[2:]))


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"down": (4, 8)},
        {"magnitude": (16,)},
        LOW_RANK | {"stretch": (16,)},
        {"down": (4, 8), "up": (16, 5)},
        {"down": (4, 8, 3), "up": (16, 4)},
        {"down": (4, 0), "up": (16, 4)},
        {"down": (4, MAX_SIDE + 1), "up": (16, 4)},
        LOW_RANK | {"magnitude": (16,), "magnitude_in": (8,)},
        LOW_RANK | {"scale": (2,)},
        LOW_RANK | {"magnitude": (16, 1)},
        {"turn": (1, 4, 4, 4), "magnitude": (16,)},
        {"turn": (4, 4, 4, 4)},
        {"turn": (2, 4, 3, 3)},
        {"turn": (60_000, 4, 4, 4)},
        {"turn": (1, 4, 4, 5)},
        {"turn": (1, 4, 4, 4), "turn_rescale": (8,)},
        {"turn_in": (2, 4, 5)},
        {"before_down": (3, 8), "before_up": (8, 4)},
        {"kron_1": (4,), "kron_2": (4, 4)},
        {"stretch": (4, 4)},
        {"difference": (4,)},
    ],
)
def test_what_does_not_hold_together_is_refused(shapes: dict[str, Shape]) -> None:
    """Before anything is allocated by it."""
    with pytest.raises(ValueError, match=r"tensor"):
        PartHeader.of(shapes)
