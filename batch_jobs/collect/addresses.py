"""Which addresses a collector may reach: public ones, judged after the name is resolved, on the address itself.

Who configures a source names any host, and the container stands inside of the deployment's network. So the address is
checked where the connection is made, and the connection goes to the address that was checked: a name that resolves to
another one a moment later (DNS rebinding) gains nothing, and how an address is written (2130706433, 0x7f.1, an IPv4
address within an IPv6 one) does not matter.
"""

import socket
from collections.abc import Callable, Iterable, Sequence

from aimass_core.domain.addresses import is_public
from batch_jobs.collect.errors import AddressRefusedError, SourceUnavailableError

Resolve = Callable[[str, int], Sequence[str]]


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
