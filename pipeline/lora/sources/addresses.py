"""Which addresses belong to the public internet, whatever they are wrapped in."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_PROTOCOLS: Final = IPv4Network("192.0.0.0/24")
"""For protocols alone; how much of it Python takes for global depends on its version."""

_UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that is given out for the internet; what is elsewhere is local, reserved or a way to write IPv4."""


def is_public(address: str) -> bool:
    """Whether an address that is about to be connected leads to the public internet.

    An IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4) leads where that one does. One with a
    scope, one of Teredo, and one of a network's own NAT64 (64:ff9b:1::/48) never do.

    Args:
        address: as the resolver gave it, with its scope where it has one.

    Returns:
        Whether it does.

    Raises:
        ValueError: it is no address.
    """
    peer = ip_address(address)
    if isinstance(peer, IPv6Address):
        if peer.scope_id is not None or peer.teredo is not None:
            return False
        peer = _carried(peer) or peer
    if isinstance(peer, IPv6Address) and peer not in _UNICAST:
        return False
    return peer.is_global and not peer.is_multicast and peer not in _PROTOCOLS


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one stands for."""
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
