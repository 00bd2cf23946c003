"""Which addresses messages may go to: link-local ones and the metadata services of clouds are denied, by number, after DNS.

A receiver's address comes from the configuration, but its name is resolved by others; a name that leads to a metadata service
would make us ask it for credentials. So the name is resolved here, every number is checked, and the connection goes to a number
that was checked: what the name says a moment later no longer matters. Loopback and private networks are allowed, since chats
are often run in one.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence

from core.errors import TransientError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DENIED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this network": reaches the machine itself on Linux
        "169.254.0.0/16",  # link-local, with the metadata service of most clouds
        "100.100.100.200/32",  # metadata service of Alibaba Cloud
        "168.63.129.16/32",  # the host agent of Azure
        "192.0.0.192/32",  # metadata service of Oracle Cloud
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/128",
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, deprecated
        "ff00::/8",  # multicast
        "fd00:ec2::/32",  # metadata service of AWS
        "fd20:ce::/32",  # metadata service of Google Cloud
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class DeniedAddress(TransientError):
    """The name leads to an address that messages must not go to. It may lead elsewhere later."""


def checked(host: str, port: int, allowed: Sequence[str] = ()) -> list[str]:
    """The numbers of `host`, all of which may be connected to. Blocks for DNS.

    Raises DeniedAddress without the host's name, and socket.gaierror where there is no such name.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    exceptions = [ipaddress.ip_network(text) for text in allowed]
    for number in numbers:
        if (network := denied_by(number, exceptions)) is not None:
            raise DeniedAddress(f"its address lies in {network}, which is denied; allow_networks makes an exception")
    return numbers


def denied_by(number: str, allowed: Iterable[Network] = ()) -> Network | None:
    """The denied network that an address lies in, also as an IPv4 address inside an IPv6 one; None: it may be used."""
    address = ipaddress.ip_address(number.partition("%")[0])
    exceptions = list(allowed)
    for candidate in (address, *_inside(address)):
        if any(candidate in network for network in exceptions):
            return None
        for network in DENIED:
            if candidate in network:
                return network
    return None


def _inside(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address stands for: mapped, compatible, NAT64 (RFC 6052), 6to4 and Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address] = [one for one in (address.ipv4_mapped, address.sixtofour) if one is not None]
    if address.teredo is not None:
        found += address.teredo
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):  # ::1 is the machine itself
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found
