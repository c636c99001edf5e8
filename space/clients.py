"""Who a client is, and how much of something it may have: a bucket of tokens for each address."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict

MAX_CLIENTS = (
    10_000  # buckets in memory, about 3 MB; of more clients the one that asked longest ago starts anew
)


def client_key(host: str) -> str:
    """The address that a client is counted by: of IPv6 the first half, for who has one of its addresses has them all."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a proxy that names its clients otherwise
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


class Buckets:
    """One bucket for each client: full at first with the tokens of a minute, and filled again by as many a minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, and when

    def take(self, client: str, tokens: float = 1.0) -> int:
        """Takes so many tokens, of a full bucket at most, and returns 0; or takes none and returns in how many seconds there are."""
        now = time.monotonic()
        tokens = min(tokens, self._per_minute)
        left, then = self._left.pop(client, (self._per_minute, now))
        left = min(self._per_minute, left + (now - then) * self._per_minute / 60)
        taken = left >= tokens
        self._left[client] = left - tokens * taken, now
        if len(self._left) > MAX_CLIENTS:
            self._left.popitem(last=False)
        return 0 if taken else math.ceil((tokens - left) * 60 / self._per_minute)
