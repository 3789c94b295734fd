"""Which addresses an outsider's URL may make the exchange connect to: those of the public internet and no others."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Resolver = Callable[[str, int], list[str]]

# IANA's special-purpose registries (RFC 6890), multicast and what is reserved, written out: what the standard library
# calls global differs between versions of Python, and counts multicast in.
_NOT_PUBLIC: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network, and unspecified
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, where clouds keep the secrets of their machines
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # Teredo and other tunnels
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address within
        "3fff::/20",
    )
)
# All other IPv6 is loopback, private, link-local, multicast, or an IPv4 address in disguise (mapped, NAT64).
_GLOBAL_UNICAST: Final = ip_network("2000::/3")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet could connect there as well."""
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, in the order in which to try them. Raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def all_public(addresses: list[str]) -> bool:
    """One private address among public ones is how a name is made to reach inside."""
    return all(is_public(ip_address(address)) for address in addresses)
