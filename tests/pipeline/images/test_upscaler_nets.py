"""The nets that enlarge images: told by their weights, equal to what their papers and first releases compute."""

import itertools
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.images.upscaler_nets import Compact, RRDBNet, net_for

FILTERS, GROWTH, BLOCKS = 6, 3, 2


def conv(weights: dict[str, Tensor], name: str, seen: Tensor) -> Tensor:
    return functional.conv2d(seen, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)


def layer(weights: dict[str, Tensor], name: str, into: int, out: int) -> None:
    weights[f"{name}.weight"] = torch.randn(out, into, 3, 3) * 0.2
    weights[f"{name}.bias"] = torch.randn(out) * 0.1


def old_weights(doublings: int, folded: int = 1) -> dict[str, Tensor]:
    """As ESRGAN's first release names them: a trunk, then a layer for each doubling, then two."""
    torch.manual_seed(doublings)
    weights: dict[str, Tensor] = {}
    layer(weights, "model.0", 3 * folded**2, FILTERS)
    for block in range(BLOCKS):
        for dense in (1, 2, 3):
            for number in range(1, 6):
                name = f"model.1.sub.{block}.RDB{dense}.conv{number}.0"
                layer(weights, name, FILTERS + (number - 1) * GROWTH, FILTERS if number == 5 else GROWTH)
    layer(weights, f"model.1.sub.{BLOCKS}", FILTERS, FILTERS)
    for number in range(doublings):
        layer(weights, f"model.{3 * (number + 1)}", FILTERS, FILTERS)
    layer(weights, f"model.{3 * doublings + 2}", FILTERS, FILTERS)
    layer(weights, f"model.{3 * doublings + 4}", FILTERS, 3)
    return weights


def drawn_by_old(weights: dict[str, Tensor], doublings: int, pixels: Tensor, folded: int = 1) -> Tensor:
    """ESRGAN's sum, written out."""
    first = conv(weights, "model.0", functional.pixel_unshuffle(pixels, folded))
    seen = first
    for block in range(BLOCKS):
        before = seen
        for dense in (1, 2, 3):
            parts = [seen]
            for number in range(1, 5):
                name = f"model.1.sub.{block}.RDB{dense}.conv{number}.0"
                parts.append(functional.leaky_relu(conv(weights, name, torch.cat(parts, 1)), 0.2))
            seen = seen + 0.2 * conv(weights, f"model.1.sub.{block}.RDB{dense}.conv5.0", torch.cat(parts, 1))
        seen = before + 0.2 * seen
    seen = first + conv(weights, f"model.1.sub.{BLOCKS}", seen)
    for number in range(doublings):
        seen = functional.interpolate(seen, scale_factor=2, mode="nearest")
        seen = functional.leaky_relu(conv(weights, f"model.{3 * (number + 1)}", seen), 0.2)
    seen = functional.leaky_relu(conv(weights, f"model.{3 * doublings + 2}", seen), 0.2)
    return conv(weights, f"model.{3 * doublings + 4}", seen)


@pytest.mark.parametrize(("doublings", "folded", "scale"), [(1, 1, 2), (2, 1, 4), (3, 1, 8), (2, 2, 2)])
def test_esrgan_is_what_its_first_release_computes(doublings: int, folded: int, scale: int) -> None:
    """For every size that is in use, and with pixels folded into channels first."""
    weights, pixels = old_weights(doublings, folded), torch.rand(1, 3, 10, 14)

    net = net_for(weights)

    assert net.scale == scale
    with torch.inference_mode():
        assert torch.allclose(net(pixels), drawn_by_old(weights, doublings, pixels, folded), atol=1e-5)


def as_real(name: str) -> str:
    """The name that Real-ESRGAN gives to a layer of ESRGAN's four times as large."""
    name = re.sub(r"^model\.1\.sub\.(\d)\.RDB(\d)\.conv(\d)\.0", r"body.\1.rdb\2.conv\3", name)
    name = name.replace(f"model.1.sub.{BLOCKS}.", "conv_body.").replace("model.0.", "conv_first.")
    for number, new in ((3, "conv_up1."), (6, "conv_up2."), (8, "conv_hr."), (10, "conv_last.")):
        name = name.replace(f"model.{number}.", new)
    return name


def as_second(name: str) -> str:
    """The name that ESRGAN's second release gives to it."""
    name = re.sub(r"^body\.(\d)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", as_real(name))
    return name.replace("conv_body", "trunk_conv").replace("conv_up", "upconv").replace("conv_hr", "HRconv")


@pytest.mark.parametrize(
    "renamed", [as_real, as_second, lambda name: f"params_ema.{as_real(name)}", lambda name: f"module.{name}"]
)
def test_a_net_is_known_under_each_of_its_names(renamed: Callable[[str], str]) -> None:
    """Those of the three releases, and in what trainers wrap around them; half precision is read as well."""
    weights, pixels = old_weights(2), torch.rand(1, 3, 8, 8)

    net = net_for({renamed(name): weight for name, weight in weights.items()})
    half = net_for({renamed(name): weight.half() for name, weight in weights.items()})

    with torch.inference_mode():
        expected = net_for(weights)(pixels)
        assert torch.equal(net(pixels), expected)
        assert torch.allclose(half(pixels), expected, atol=0.02)


def test_an_odd_image_is_enlarged_whole_by_a_net_that_folds() -> None:
    """Its last row and column are made of the edge, which is repeated and cut off again."""
    weights, pixels = old_weights(2, folded=2), torch.rand(1, 3, 9, 13)

    with torch.inference_mode():
        made = net_for(weights)(pixels)
        repeated = functional.pad(pixels, (0, 1, 0, 1), mode="replicate")
        assert torch.allclose(made, drawn_by_old(weights, 2, repeated, 2)[..., :18, :26], atol=1e-5)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_compact_net_adds_detail_to_the_pixels(scale: int) -> None:
    """Convolutions with slopes of their own between them."""
    torch.manual_seed(5)
    weights: dict[str, Tensor] = {}
    widths = (3, FILTERS, FILTERS, FILTERS)
    for number, (into, out) in enumerate(itertools.pairwise(widths)):
        layer(weights, f"body.{2 * number}", into, out)
        weights[f"body.{2 * number + 1}.weight"] = torch.rand(out)
    layer(weights, "body.6", FILTERS, 3 * scale**2)
    pixels = torch.rand(1, 3, 9, 7)

    net = net_for(weights)

    seen = pixels
    for number in range(3):
        seen = functional.prelu(conv(weights, f"body.{2 * number}", seen), weights[f"body.{2 * number + 1}.weight"])
    detail = functional.pixel_shuffle(conv(weights, "body.6", seen), scale)
    larger = pixels.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    assert isinstance(net, Compact)
    with torch.inference_mode():
        assert torch.allclose(net(pixels), detail + larger, atol=1e-5)


def test_weights_of_other_nets_are_refused() -> None:
    """Those of none, of one that is incomplete or grey, and of one that enlarges nothing."""
    whole = old_weights(2)
    incomplete = {name: weight for name, weight in whole.items() if "sub.0.RDB2" not in name}
    same_size = RRDBNet(unshuffled=4, filters=4, growth=2, blocks=1, doublings=2).state_dict()
    grey = {**whole, "model.10.weight": torch.zeros(1, FILTERS, 3, 3), "model.10.bias": torch.zeros(1)}
    for weights in ({}, {"unet.down.weight": torch.zeros(1)}, {"body.x": torch.zeros(1)}, incomplete, same_size, grey):
        with pytest.raises(ValueError, match=r"another kind of net|enlarges nothing"):
            net_for(weights)
