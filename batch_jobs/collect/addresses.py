"""Which addresses a collector may reach: public ones, judged after the name is resolved, on the address itself.

Who configures a source names any host, and the container stands inside of the deployment's network. So the address is
checked where the connection is made, and the connection goes to the address that was checked: a name that resolves to
another one a moment later (DNS rebinding) gains nothing, and how an address is written (2130706433, 0x7f.1, an IPv4
address within an IPv6 one) does not matter.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence

from batch_jobs.collect.errors import AddressRefusedError, SourceUnavailableError

Resolve = Callable[[str, int], Sequence[str]]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def checked(host: str, port: int, *, allowed_hosts: Iterable[str] = (), resolver: Resolve = resolve) -> Sequence[str]:
    """The addresses to connect to.

    Raises:
        AddressRefusedError: one of them is not public, and the deployment does not allow the host by name.
        SourceUnavailableError: the name cannot be resolved.
    """
    try:
        addresses = resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise SourceUnavailableError(f"The host {host!r} cannot be resolved. Check the address.") from error
    if host not in set(allowed_hosts):
        for address in addresses:
            if not is_public(address):
                raise AddressRefusedError(
                    f"The host {host!r} leads to an address that is not public, which collectors may not reach. Name a "
                    "public host; a deployment allows others by the setting AIMASS_COLLECT_ALLOWED_HOSTS."
                )
    return addresses


def is_public(address: str) -> bool:
    """Whether it is one of the internet's, whatever form it has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = _embedded(found)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not found.is_reserved and not found.is_unspecified


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that is written within (mapped, 6to4, Teredo, NAT64)."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
