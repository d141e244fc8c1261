"""The nets that enlarge images, in plain torch; the names and shapes of its weights say which one a file is for."""

import itertools
import re
from collections.abc import Mapping
from math import isqrt
from typing import Final, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

_WRAPPED: Final = re.compile(r"^(?:params_ema|params|module)\.")
"""What trainers put in front of every name."""

_RENAMED: Final = (
    (re.compile(r"^model\.0\."), "conv_first."),
    (re.compile(r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\."), r"body.\1.rdb\2.conv\3."),
    (re.compile(r"^model\.1\.sub\.\d+\.(weight|bias)$"), r"conv_body.\1"),
    (re.compile(r"^RRDB_trunk\.(\d+)\.RDB(\d)\."), r"body.\1.rdb\2."),
    (re.compile(r"^trunk_conv\."), "conv_body."),
    (re.compile(r"^upconv(\d)\."), r"conv_up\1."),
    (re.compile(r"^HRconv\."), "conv_hr."),
)
"""The names of ESRGAN's first two releases ("old architecture"), as Real-ESRGAN calls the same layers."""

_LATER: Final = re.compile(r"^model\.(\d+)\.(weight|bias)$")


class UpscalerNet(Protocol):
    """A net that makes images `scale` times as large.

    It looks `margin` pixels around each pixel; for each pixel of its input it holds `values` numbers at a time.
    """

    scale: int
    margin: int
    values: int

    def __call__(self, pixels: Tensor, /) -> Tensor:
        """Enlarge an image.

        Args:
            pixels: (1, 3, height, width), 0 to 1.

        Returns:
            (1, 3, scale x height, scale x width), about 0 to 1.
        """


def net_for(weights: Mapping[str, Tensor]) -> "UpConv7 | Compact | RRDBNet":
    """The net that weights are for, with them in it.

    Args:
        weights: by the names of waifu2x (nunif), ESRGAN or Real-ESRGAN.

    Returns:
        In float32, on the CPU.

    Raises:
        ValueError: they are for none of these, or not for three channels.
    """
    plain = {_WRAPPED.sub("", name): weight.float() for name, weight in weights.items()}
    named = _renamed(plain)
    try:
        net = _empty(named)
        net.load_state_dict(named)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise ValueError("these are weights of another kind of net") from error
    if net.scale < 2:
        raise ValueError("this net enlarges nothing")
    return net.eval()


def _empty(weights: Mapping[str, Tensor]) -> "UpConv7 | Compact | RRDBNet":
    if "net.0.weight" in weights:
        return UpConv7()
    if "conv_first.weight" in weights:
        blocks = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("body."))
        return RRDBNet(
            unshuffled=isqrt(weights["conv_first.weight"].shape[1] // 3),
            filters=weights["conv_first.weight"].shape[0],
            growth=weights["body.0.rdb1.conv1.weight"].shape[0],
            blocks=blocks,
            doublings=sum(name.startswith("conv_up") and name.endswith("weight") for name in weights),
        )
    last = max(int(name.split(".")[1]) for name in weights)
    return Compact(
        filters=weights["body.0.weight"].shape[0],
        layers=last // 2 - 1,
        scale=isqrt(weights[f"body.{last}.weight"].shape[0] // 3),
    )


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under Real-ESRGAN's names; the layers behind an old net's trunk are named by their order."""
    numbers = sorted({int(match[1]) for name in weights if (match := _LATER.match(name)) and int(match[1]) > 1})
    ups = [f"conv_up{count}" for count in range(1, len(numbers) - 1)]
    later = dict(zip(numbers, (*ups, "conv_hr", "conv_last"), strict=False))
    renamed = {}
    for name, weight in weights.items():
        match = _LATER.match(name)
        if match and int(match[1]) in later:
            renamed[f"{later[int(match[1])]}.{match[2]}"] = weight
            continue
        for pattern, replacement in _RENAMED:
            name = pattern.sub(replacement, name)  # noqa: PLW2901  one of them fits, or none
        renamed[name] = weight
    return renamed


class UpConv7(nn.Module):
    """waifu2x's net: seven convolutions, the last of which doubles (https://github.com/nagadomi/waifu2x)."""

    scale = 2
    margin = 7
    values = 2 * (128 + 256)

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, 128, 128, 256)
        layers: list[nn.Module] = []
        for into, out in itertools.pairwise(widths):
            layers += (nn.Conv2d(into, out, 3), nn.LeakyReLU(0.1, inplace=True))
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(256, 3, 4, 2, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        """As `UpscalerNet`.

        Args:
            pixels: as there.

        Returns:
            As there.
        """
        around = functional.pad(pixels, (self.margin,) * 4, mode="replicate")
        return self.net(around)  # type: ignore[no-any-return]  # nn.Module's call is untyped


class Compact(nn.Module):
    """Real-ESRGAN's small net, a plain stack of convolutions (Wang et al., 2021, arXiv 2107.10833).

    Args:
        filters: channels of each layer.
        layers: between the first and the last.
        scale: how many times as large.
    """

    def __init__(self, *, filters: int, layers: int, scale: int) -> None:
        super().__init__()
        self.scale, self.margin, self.values = scale, layers + 2, 3 * filters
        body: list[nn.Module] = []
        for into in (3, *(filters,) * layers):
            body += (nn.Conv2d(into, filters, 3, padding=1), nn.PReLU(filters))
        self.body = nn.Sequential(*body, nn.Conv2d(filters, 3 * scale**2, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        """As `UpscalerNet`.

        Args:
            pixels: as there.

        Returns:
            As there.
        """
        detail = functional.pixel_shuffle(self.body(pixels), self.scale)
        return detail + functional.interpolate(pixels, scale_factor=self.scale)


class RRDBNet(nn.Module):
    """ESRGAN's net of residual-in-residual dense blocks (Wang et al., 2018, arXiv 1809.00219).

    Args:
        unshuffled: how many pixels along a side are folded into channels first, as Real-ESRGAN does for twice the size.
        filters: channels between the blocks.
        growth: channels that each convolution of a block adds.
        blocks: how many.
        doublings: of the size, behind the blocks.
    """

    margin = 32
    """It sees farther than that, but what lies there changes no level."""

    def __init__(self, *, unshuffled: int, filters: int, growth: int, blocks: int, doublings: int) -> None:
        super().__init__()
        self.unshuffled, self.doublings = unshuffled, doublings
        self.scale = 2**doublings // unshuffled
        self.values = 3 * filters * self.scale**2 + 2 * (filters + 4 * growth)
        self.conv_first = nn.Conv2d(3 * unshuffled**2, filters, 3, padding=1)
        self.body = nn.Sequential(*(_RRDB(filters, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(filters, filters, 3, padding=1)
        for number in range(1, doublings + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(filters, filters, 3, padding=1))
        self.conv_hr = nn.Conv2d(filters, filters, 3, padding=1)
        self.conv_last = nn.Conv2d(filters, 3, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """As `UpscalerNet`.

        Args:
            pixels: as there.

        Returns:
            As there.
        """
        height, width = pixels.shape[2:]
        beyond = (0, -width % self.unshuffled, 0, -height % self.unshuffled)
        folded = functional.pixel_unshuffle(functional.pad(pixels, beyond, mode="replicate"), self.unshuffled)
        first = self.conv_first(folded)
        seen = first + self.conv_body(self.body(first))
        for number in range(1, self.doublings + 1):
            seen = _leaky(self.get_submodule(f"conv_up{number}")(functional.interpolate(seen, scale_factor=2)))
        larger: Tensor = self.conv_last(_leaky(self.conv_hr(seen)))
        return larger[..., : height * self.scale, : width * self.scale]


class _RRDB(nn.Module):
    """Three dense blocks with a residual around them.

    Args:
        filters: as RRDBNet's.
        growth: as RRDBNet's.
    """

    def __init__(self, filters: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_DenseBlock(filters, growth) for _ in range(3))

    def forward(self, seen: Tensor) -> Tensor:
        inner: Tensor = self.rdb3(self.rdb2(self.rdb1(seen)))
        return seen + 0.2 * inner


class _DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it.

    Args:
        filters: as RRDBNet's.
        growth: as RRDBNet's.
    """

    def __init__(self, filters: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            out = filters if number == 5 else growth
            self.add_module(f"conv{number}", nn.Conv2d(filters + (number - 1) * growth, out, 3, padding=1))

    def forward(self, seen: Tensor) -> Tensor:
        parts = [seen]
        for number in range(1, 5):
            parts.append(_leaky(self.get_submodule(f"conv{number}")(torch.cat(parts, 1))))
        inner: Tensor = self.get_submodule("conv5")(torch.cat(parts, 1))
        return seen + 0.2 * inner


def _leaky(values: Tensor) -> Tensor:
    return functional.leaky_relu(values, 0.2, inplace=True)
