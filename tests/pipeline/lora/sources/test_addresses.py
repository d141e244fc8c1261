"""Which addresses a link may lead to."""

import pytest

from pipeline.lora.sources.addresses import is_public

_PUBLIC = (
    "8.8.8.8",
    "104.16.1.1",
    "2606:4700::1111",
    "2a04:4e42::223",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
)
_NOT_PUBLIC = (
    "0.0.0.0",  # noqa: S104  an address to refuse, not one to bind
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:1::10.0.0.1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2606:4700::1111%1",
)


@pytest.mark.parametrize("address", _PUBLIC)
def test_the_public_internet_is_opened(address: str) -> None:
    """Also by way of a network that translates to IPv4, where that is all there is."""
    assert is_public(address)


@pytest.mark.parametrize("address", _NOT_PUBLIC)
def test_what_is_not_public_is_not(address: str) -> None:
    """However it is written: this machine, its network, its cloud's metadata, groups, and what is reserved."""
    assert not is_public(address)
