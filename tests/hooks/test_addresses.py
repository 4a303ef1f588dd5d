"""Which addresses a hook may connect to."""

import asyncio
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.hooks.addresses import ForbiddenAddressError, Guard, why_forbidden

PRIVATE_V4 = st.one_of(
    *(
        st.ip_addresses(network=network)
        for network in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
    )
)


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", "100.63.255.255"])
def test_public_addresses_are_open(text):
    assert why_forbidden(ip_address(text)) is None


@given(PRIVATE_V4)
def test_no_wrapper_makes_a_private_address_public(inner):
    number = int(inner)
    wrapped = [
        number,  # IPv4-compatible
        (0xFFFF << 32) | number,  # IPv4-mapped
        (0xFFFF << 48) | number,  # IPv4-translated
        (0x0064FF9B << 96) | number,  # NAT64
        (0x0064FF9B0001 << 80) | number,  # NAT64, local use
        (0x2002 << 112) | (number << 80),  # 6to4
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),  # Teredo
        (0x2A00145040010000 << 64) | (0x00005EFE << 32) | number,  # ISATAP
    ]
    assert why_forbidden(inner)
    for one in wrapped:
        assert why_forbidden(ip_address(one.to_bytes(16, "big"))), one


def test_what_the_config_names_is_open_and_nothing_beside_it():
    guard = Guard(["127.0.0.1", "10.20.0.0/16"], [8443])
    guard.check("127.0.0.1", 8443)
    guard.check("10.20.1.2", 8443)
    for text, port in (("127.0.0.2", 8443), ("10.21.0.1", 8443), ("127.0.0.1", 443), ("8.8.8.8", 443)):
        with pytest.raises(ForbiddenAddressError):
            guard.check(text, port)


def test_one_forbidden_address_spoils_the_name():
    async def lookup(_host, port):
        return [(2, 1, 6, "", ("8.8.8.8", port)), (2, 1, 6, "", ("10.0.0.1", port))]

    with pytest.raises(ForbiddenAddressError, match=r"10\.0\.0\.1"):
        asyncio.run(Guard().resolve("two.example", 443, lookup))
