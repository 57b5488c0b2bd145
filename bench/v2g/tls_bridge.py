"""What OpenSSL can do and Python's ssl cannot: trusted_ca_keys, asking for and giving a stapled OCSP
response.

The one place where the project reaches below `ssl`: the OpenSSL context behind an `ssl.SSLContext` is
addressed with ctypes. `available` tells whether that works here (CPython, 64 bit, OpenSSL with the functions
needed); where it does not, every function raises `BridgeError` and the rest of the bench goes on without.

Sources: RFC 6066 sections 6 (trusted_ca_keys) and 8 (status_request); ISO 15118-2 [V2G2-651], [V2G2-871],
[V2G2-873].
"""

from __future__ import annotations

import ctypes
import functools
import ssl
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from bench.pki.credential import Credential

AuthorityKind = Literal["x509_name", "cert_sha1_hash", "key_sha1_hash"]

_TRUSTED_CA_KEYS = 3
_CLIENT_HELLO_AND_SERVER_HELLO = 0x0080 | 0x0100
_CTRL_SET_STATUS_CALLBACK = 63
_CTRL_SET_STATUS_TYPE = 65
_CTRL_SET_STATUS_RESPONSE = 71
_STATUS_TYPE_OCSP = 1
_CALLBACK_OK, _CALLBACK_NO_ACK = 0, 3
_MAX_EXTENSION = 16_000

_ADD = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_uint,
    ctypes.c_uint,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_int),
    ctypes.c_void_p,
)
_PARSE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_uint,
    ctypes.c_uint,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_int),
    ctypes.c_void_p,
)
_STATUS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class BridgeError(RuntimeError):
    """OpenSSL cannot be reached below `ssl` here, or refused what was asked."""


@functools.cache
def _openssl() -> ctypes.CDLL | None:
    """The OpenSSL that `ssl` itself uses, or None where it cannot be addressed."""
    if (
        sys.implementation.name != "cpython"
        or ctypes.sizeof(ctypes.c_void_p) != 8
        or hasattr(sys, "gettotalrefcount")
    ):
        return None
    try:
        import _ssl

        # Looked up through the extension module, so that it is the very library loaded by it.
        library = ctypes.CDLL(_ssl.__file__)
        library.SSL_CTX_ctrl.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
        library.SSL_CTX_ctrl.restype = ctypes.c_long
        library.SSL_ctrl.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
        library.SSL_ctrl.restype = ctypes.c_long
        library.SSL_CTX_callback_ctrl.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        library.SSL_CTX_callback_ctrl.restype = ctypes.c_long
        library.SSL_CTX_add_custom_ext.argtypes = (
            ctypes.c_void_p,
            ctypes.c_uint,
            ctypes.c_uint,
            _ADD,
            ctypes.c_void_p,
            ctypes.c_void_p,
            _PARSE,
            ctypes.c_void_p,
        )
        library.SSL_CTX_add_custom_ext.restype = ctypes.c_int
        library.CRYPTO_malloc.argtypes = (ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int)
        library.CRYPTO_malloc.restype = ctypes.c_void_p
    except (ImportError, OSError, AttributeError):
        return None
    return library


def available() -> bool:
    """True when the functions of this module can be used."""
    return _openssl() is not None


def _reach(context: ssl.SSLContext) -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    library = _openssl()
    if library is None:
        raise BridgeError("the OpenSSL behind Python's ssl module cannot be reached here")
    # PySSLContext starts with the object header, followed by SSL_CTX *ctx.
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    if not pointer.value:
        raise BridgeError("the context has no OpenSSL context")
    return library, pointer


def _keep(context: ssl.SSLContext, *things: Any) -> None:
    """Tie the lifetime of callbacks and buffers that OpenSSL points to, to that of the context."""
    kept: list[Any] = context.__dict__.setdefault("_plugbench_kept", [])
    kept.extend(things)


def trusted_ca_keys(
    roots: Iterable[x509.Certificate | Credential], kinds: Sequence[AuthorityKind] = ("x509_name",)
) -> bytes:
    """Body of a trusted_ca_keys extension that names each root in each of `kinds`; raises ValueError when too
    long.

    ISO 15118-2 [V2G2-651] asks for the extension. Which kind of name a charger understands differs between
    implementations, so RFC 6066's three are here.
    """
    entries = bytearray()
    for each in roots:
        certificate = each.certificate if isinstance(each, Credential) else each
        for kind in kinds:
            if kind == "x509_name":
                name = certificate.subject.public_bytes()
                entries += b"\x02" + len(name).to_bytes(2, "big") + name
            elif kind == "key_sha1_hash":
                key = certificate.public_key().public_bytes(
                    serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
                )
                digest = hashes.Hash(hashes.SHA1())  # noqa: S303 - the digest that RFC 6066 prescribes
                digest.update(key)
                entries += b"\x01" + digest.finalize()
            else:
                entries += b"\x03" + certificate.fingerprint(hashes.SHA1())  # noqa: S303 - as above
    if len(entries) > _MAX_EXTENSION:
        raise ValueError(f"a list of trusted roots of {len(entries)} bytes is longer than {_MAX_EXTENSION}")
    return len(entries).to_bytes(2, "big") + bytes(entries)


def send_trusted_ca_keys(context: ssl.SSLContext, body: bytes) -> None:
    """Make every ClientHello of `context` carry trusted_ca_keys with `body` (any bytes: a malformed list is a
    test).

    Raises BridgeError.
    """
    library, pointer = _reach(context)
    buffer = ctypes.create_string_buffer(body, len(body))

    def add(*arguments: Any) -> int:
        arguments[3][0] = ctypes.addressof(buffer)
        arguments[4][0] = len(body)
        return 1

    def parse(*arguments: Any) -> int:
        return 1  # An (empty) answer in the ServerHello is welcome and holds nothing.

    add_callback, parse_callback = _ADD(add), _PARSE(parse)
    done = library.SSL_CTX_add_custom_ext(
        pointer,
        _TRUSTED_CA_KEYS,
        _CLIENT_HELLO_AND_SERVER_HELLO,
        add_callback,
        None,
        None,
        parse_callback,
        None,
    )
    if done != 1:
        raise BridgeError("OpenSSL refuses the extension trusted_ca_keys (added twice?)")
    _keep(context, buffer, add_callback, parse_callback)


def request_ocsp(context: ssl.SSLContext) -> None:
    """Make every ClientHello of `context` ask for a stapled OCSP response of the leaf; raises BridgeError.

    The answer is `TlsInfo.ocsp_response` (TLS 1.2).
    """
    library, pointer = _reach(context)
    if library.SSL_CTX_ctrl(pointer, _CTRL_SET_STATUS_TYPE, _STATUS_TYPE_OCSP, None) != 1:
        raise BridgeError("OpenSSL refuses to ask for an OCSP response")


def staple(context: ssl.SSLContext, response: bytes | None) -> None:
    """Make a server context answer status_request with `response` (DER; any bytes), or with nothing for None.

    May be called again to renew the response. Raises BridgeError.
    """
    library, pointer = _reach(context)
    state = context.__dict__.setdefault("_plugbench_staple", {})
    state["response"] = response
    if "callback" in state:
        return

    def answer(connection: int, argument: int | None) -> int:
        data = state["response"]
        if not data:
            return _CALLBACK_NO_ACK
        # OpenSSL frees the response with the connection, so it must come from its own allocator.
        memory = library.CRYPTO_malloc(len(data), b"plugbench", 0)
        if not memory:
            return _CALLBACK_NO_ACK
        ctypes.memmove(memory, data, len(data))
        library.SSL_ctrl(connection, _CTRL_SET_STATUS_RESPONSE, len(data), memory)
        return _CALLBACK_OK

    callback = _STATUS(answer)
    if library.SSL_CTX_callback_ctrl(pointer, _CTRL_SET_STATUS_CALLBACK, callback) != 1:
        raise BridgeError("OpenSSL refuses the status callback")
    state["callback"] = callback
