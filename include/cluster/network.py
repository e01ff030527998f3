"""The part of the loopback network that one stand-in gives to its services, so that several run side by side."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

ALL_SERVICES = ipaddress.ip_network("127.96.0.0/12")
"""Apart from 127.0.0.1 and from the pods' range."""

_CLAIM_PORT = 10250


class RangesTakenError(Exception):
    """Every service range of this machine is in use by another stand-in."""


def claim(state_dir: Path) -> tuple[str, socket.socket]:
    """Takes a service range that no other stand-in on this machine has: the one used before, if it is free.

    A bound socket is the claim, so that it ends with its process.

    Returns:
        The range (``127.97.0.0/16``) and the socket that holds it; close it to give the range back.

    Raises:
        RangesTakenError: there are 16 stand-ins already.
    """
    remembered = state_dir / "service-range"
    ranges = [str(network) for network in ALL_SERVICES.subnets(new_prefix=16)]
    before = remembered.read_text().strip() if remembered.exists() else ""
    if before in ranges:
        ranges = [before, *ranges]
    for text in ranges:
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            holder.bind((str(ipaddress.ip_network(text)[-2]), _CLAIM_PORT))
        except OSError:
            holder.close()
            continue
        remembered.write_text(text)
        return text, holder
    raise RangesTakenError(f"{len(ranges)} other stand-ins run on this machine: stop one")
