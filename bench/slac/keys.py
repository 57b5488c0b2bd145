"""Network keys of HomePlug Green PHY: the membership key (NMK) and the network id (NID) made from it."""

from __future__ import annotations

import hashlib
import secrets

NMK_BYTES = 16
NID_BYTES = 7
_ROUNDS = 5


def new_nmk() -> bytes:
    """A random NMK, as a charger makes one for each matching."""
    return secrets.token_bytes(NMK_BYTES)


def nid_from_nmk(nmk: bytes) -> bytes:
    """The NID of `nmk` at security level 0 (HomePlug Green PHY 4.4.3.1): SHA-256 five times, of which the
    first 52 bits, the last four of them behind the four of the level. Raises ValueError unless `nmk` has 16
    bytes.
    """
    if len(nmk) != NMK_BYTES:
        raise ValueError(f"an NMK has {NMK_BYTES} bytes, not {len(nmk)}")
    digest = nmk
    for _ in range(_ROUNDS):
        digest = hashlib.sha256(digest).digest()
    return digest[: NID_BYTES - 1] + bytes([digest[NID_BYTES - 1] >> 4])
