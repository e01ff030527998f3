"""The pods' addresses: each live pod has one of the loopback network."""

from __future__ import annotations

import ipaddress
import secrets

NETWORK = ipaddress.ip_network("127.32.0.0/11")
"""Apart from 127.0.0.1 and from the services' range."""


class Addresses:
    """Hands out addresses that no live pod has, an address not twice in a row."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        # a random beginning keeps two stand-ins on one machine apart
        self._next = secrets.randbelow(NETWORK.num_addresses)

    def take(self, owner: str, wanted: str = "") -> str:
        """An address for a pod, by its uid: the wanted one if it is free."""
        address = wanted
        while not address or address in self._owners or ipaddress.ip_address(address) not in NETWORK:
            self._next = (self._next + 1) % NETWORK.num_addresses
            address = str(NETWORK[self._next])
            if address.endswith((".0", ".255")):
                address = ""
        self._owners[address] = owner
        return address

    def give_back(self, owner: str) -> None:
        """Frees what a pod has."""
        self._owners = {address: uid for address, uid in self._owners.items() if uid != owner}
