"""The e-mobility account identifier (eMAID) and its check character.

Source: ISO 15118-1 annex H and ISO 15118-2 annex H.1: country (2 letters), provider (3 characters), instance
(9 characters), check character (optional, 1 character). Hyphens may separate the parts in print; certificates
and messages of ISO 15118-2 carry 14 or 15 characters without them.
"""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# The two generator matrices of annex H; the first works modulo 2, the second modulo 3.
_P1 = ((0, 1), (1, 1))
_P2 = ((0, 1), (1, 2))

_Matrix = tuple[tuple[int, int], tuple[int, int]]


def normalise(emaid: str) -> str:
    """Return `emaid` without hyphens and in upper case (the form that is compared, ISO 15118-2 annex H)."""
    return emaid.replace("-", "").upper()


def _multiply(left: _Matrix, right: _Matrix, modulus: int) -> _Matrix:
    (a, b), (c, d) = left
    (e, f), (g, h) = right
    return (
        ((a * e + b * g) % modulus, (a * f + b * h) % modulus),
        ((c * e + d * g) % modulus, (c * f + d * h) % modulus),
    )


def check_character(emaid: str) -> str:
    """Compute the check character over the first 14 characters of `emaid` (hyphens ignored).

    The 15 characters, each read as four digits (two modulo 2, two modulo 3), satisfy sum(v_i * P^i) = 0;
    solving for the 15th gives the check character. Raises ValueError when there are not 14 letters and
    digits.
    """
    text = normalise(emaid)
    if len(text) != 14 or any(character not in _ALPHABET for character in text):
        raise ValueError(f"an eMAID has 14 letters and digits before its check character, not {emaid!r}")
    power1, power2 = _P1, _P2
    q1 = q2 = r1 = r2 = 0
    for character in text:
        binary, ternary = divmod(_ALPHABET.index(character), 9)
        b1, b2 = divmod(binary, 2)
        t1, t2 = divmod(ternary, 3)
        q1 = (q1 + b1 * power1[0][0] + b2 * power1[1][0]) % 2
        q2 = (q2 + b1 * power1[0][1] + b2 * power1[1][1]) % 2
        r1 = (r1 + t1 * power2[0][0] + t2 * power2[1][0]) % 3
        r2 = (r2 + t1 * power2[0][1] + t2 * power2[1][1]) % 3
        power1, power2 = _multiply(power1, _P1, 2), _multiply(power2, _P2, 3)
    # P1^15 is the identity modulo 2 and P2^-15 is P2 modulo 3 (orders 3 and 8), so no inversion is needed.
    s1 = -(r1 * _P2[0][0] + r2 * _P2[1][0]) % 3
    s2 = -(r1 * _P2[0][1] + r2 * _P2[1][1]) % 3
    return _ALPHABET[(q1 * 2 + q2) * 9 + s1 * 3 + s2]


def with_check_character(emaid: str) -> str:
    """Return the 15-character form of a 14-character eMAID; raises ValueError like `check_character`."""
    text = normalise(emaid)
    return text + check_character(text)


def is_valid(emaid: str) -> bool:
    """True for 14 characters of the right shape, or 15 with the right check character; hyphens and case
    ignored.
    """
    text = normalise(emaid)
    if len(text) not in (14, 15) or any(character not in _ALPHABET for character in text):
        return False
    if not text[:2].isalpha():
        return False
    return len(text) == 14 or check_character(text[:14]) == text[14]
