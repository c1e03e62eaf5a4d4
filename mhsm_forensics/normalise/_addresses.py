"""Where a call came from: the address without its dress, and what kind of address it is."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_NOTHING = {"", "(unknown)", "unknown", "-", "null"}
_V4_PORT = re.compile(r"^(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})$")
_V6_PORT = re.compile(r"^\[([^\]]+)\](?::(\d{1,5}))?$")

_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
                                            "fc00::/7", "fe80::/10")))  # fmt: skip
_CGNAT = ipaddress.ip_network("100.64.0.0/10")


class Address(NamedTuple):
    """A caller's address."""

    caller_ip: str | None
    caller_port: int | None
    ip_scope: str | None


def address_of(text: str | None) -> Address:
    """Address, port and scope of a caller; the text itself, with scope ``invalid``, where it is no address.

    References
    ----------
    RFC 1918, RFC 4193 (private), RFC 6598 (carrier-grade NAT), IANA special-purpose registries (reserved)

    Examples
    --------
    >>> address_of("10.20.0.4:51234")
    Address(caller_ip='10.20.0.4', caller_port=51234, ip_scope='private')
    >>> address_of("[2001:DB8::1]:443").caller_ip
    '2001:db8::1'
    """
    if text is None or text.strip().lower() in _NOTHING:
        return Address(None, None, None)
    host, port = _split_port(text.partition(",")[0].strip())
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return Address(text, None, "invalid")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Address(str(address), port, _scope(address))


def _split_port(text: str) -> tuple[str, int | None]:
    found = _V4_PORT.match(text) or _V6_PORT.match(text)
    if found is None:
        return text, None
    return found[1], int(found[2]) if found[2] else None


def _scope(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if address.is_loopback:
        return "loopback"
    if any(address in network for network in _PRIVATE):
        return "private"
    if address in _CGNAT:
        return "cgnat"
    return "public" if address.is_global and not address.is_multicast else "reserved"
