"""OCSP: a responder over the bench's own register, a client, and the hash data that OCPP carries.

Source: RFC 6960; ISO 15118-2:2014 [V2G2-649], [V2G2-876] (responses at most a week old); OCPP 2.0.1 part 2
OCSPRequestDataType and CertificateHashDataType.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import socket
import threading
import urllib.parse
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from bench.pki.credential import Credential
from bench.pki.hierarchy import Pki
from bench.pki.unreadable import UNREADABLE
from bench.pki.validate import ocsp_urls

MAX_REQUEST_BYTES = 16_384
MAX_RESPONSE_BYTES = 65_536
MAX_AGE = timedelta(days=7)
_REQUEST_TIMEOUT_S = 5.0
_MAX_NONCE = 128

Status = Literal["good", "revoked", "unknown"]
_STATUS: dict[ocsp.OCSPCertStatus, Status] = {
    ocsp.OCSPCertStatus.GOOD: "good",
    ocsp.OCSPCertStatus.REVOKED: "revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "unknown",
}


class OcspError(Exception):
    """No usable OCSP answer: not reached, refused, unreadable, about another certificate, or wrongly
    signed.
    """


@dataclass(frozen=True)
class OcspResult:
    """Status of one certificate, with the times of the answer (UTC) and its DER."""

    status: Status
    this_update: datetime
    next_update: datetime | None
    der: bytes = b""
    revoked_at: datetime | None = None


def _sha256(data: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize().hex()


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The subjectPublicKey bits, as issuerKeyHash wants them (RFC 6960 4.1.1): without algorithm, tag and
    length.
    """
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)


def certificate_hash_data(certificate: x509.Certificate, issuer: x509.Certificate) -> dict[str, str]:
    """OCPP CertificateHashData: SHA-256 of the issuer's name and key, serial number in hex without
    leading zeros.
    """
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": _sha256(certificate.issuer.public_bytes()),
        "issuerKeyHash": _sha256(_key_bits(issuer)),
        "serialNumber": f"{certificate.serial_number:x}",
    }


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate) -> dict[str, str]:
    """OCPP OCSPRequestData: `certificate_hash_data` and the certificate's responderURL where it names one."""
    data = certificate_hash_data(certificate, issuer)
    urls = ocsp_urls(certificate)
    if urls:
        data["responderURL"] = urls[0]
    return data


class OcspResponder:
    """Answers OCSP requests for every CA of a `Pki` from `pki.revocations`; each CA signs its own answers.

    `age` makes the answers that old, `validity` sets nextUpdate; both can be changed at any time, for tests
    of stale answers ([V2G2-876]). `start` serves HTTP until `stop`; as a context manager it starts and stops
    by itself.
    """

    def __init__(self, pki: Pki, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._pki = pki
        self._address = (host, port)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.age = timedelta(0)
        self.validity = MAX_AGE
        self.requests = 0

    def respond(self, request_der: bytes) -> bytes:
        """Answer one request (DER to DER); never raises for what the request holds."""
        try:
            if len(request_der) > MAX_REQUEST_BYTES:
                return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
            request = ocsp.load_der_ocsp_request(bytes(request_der))
            algorithm = request.hash_algorithm
            nonce = _nonce(request)
            issuer = self._issuer(request, algorithm)
        except UNREADABLE:
            return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if issuer is None:
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return self._sign(request, algorithm, issuer, nonce)

    def staple(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
        """An answer about `certificate` for stapling in a TLS handshake."""
        return self.respond(request_for(certificate, issuer))

    def status(self, data: dict[str, Any]) -> Status:
        """Status for OCPP hash data (see `hash_data`); "unknown" for an issuer that is not ours or bad
        data.
        """
        for issuer in self._pki.issuers():
            wanted = (data.get("issuerNameHash"), data.get("issuerKeyHash"))
            if wanted == (
                _sha256(issuer.certificate.subject.public_bytes()),
                _sha256(_key_bits(issuer.certificate)),
            ):
                try:
                    serial = int(str(data.get("serialNumber")), 16)
                except ValueError:
                    return "unknown"
                return _STATUS[self._lookup(issuer, serial)[0]]
        return "unknown"

    def _issuer(self, request: ocsp.OCSPRequest, algorithm: hashes.HashAlgorithm) -> Credential | None:
        for each in self._pki.issuers():
            digest = hashes.Hash(algorithm)
            digest.update(_key_bits(each.certificate))
            if digest.finalize() == request.issuer_key_hash:
                digest = hashes.Hash(algorithm)
                digest.update(each.certificate.subject.public_bytes())
                if digest.finalize() == request.issuer_name_hash:
                    return each
        return None

    def _lookup(self, issuer: Credential, serial: int) -> tuple[ocsp.OCSPCertStatus, datetime | None]:
        name = issuer.certificate.subject
        if self._pki.revocations.is_unknown(name, serial):
            return ocsp.OCSPCertStatus.UNKNOWN, None
        revoked_at = self._pki.revocations.revoked_at(name, serial)
        if revoked_at is not None:
            return ocsp.OCSPCertStatus.REVOKED, revoked_at
        return ocsp.OCSPCertStatus.GOOD, None

    def _sign(
        self,
        request: ocsp.OCSPRequest,
        algorithm: hashes.HashAlgorithm,
        issuer: Credential,
        nonce: x509.OCSPNonce | None,
    ) -> bytes:
        status, revoked_at = self._lookup(issuer, request.serial_number)
        this_update = datetime.now(UTC).replace(microsecond=0) - self.age
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                issuer_name_hash=request.issuer_name_hash,
                issuer_key_hash=request.issuer_key_hash,
                serial_number=request.serial_number,
                algorithm=algorithm,
                cert_status=status,
                this_update=this_update,
                next_update=this_update + self.validity,
                revocation_time=revoked_at,
                revocation_reason=x509.ReasonFlags.cessation_of_operation if revoked_at else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
        )
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        response = builder.sign(issuer.private_key, hashes.SHA256())
        return response.public_bytes(serialization.Encoding.DER)

    def start(self) -> str:
        """Serve HTTP in a thread; returns the URL. Raises OSError when the port is taken."""
        if self._server is None:
            self._server = _Server(self._address, self)
            self._thread = threading.Thread(
                target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="ocsp", daemon=True
            )
            self._thread.start()
        return self.url

    @property
    def url(self) -> str:
        """URL of the running responder; "" when it is stopped."""
        if self._server is None:
            return ""
        host, port = self._server.server_address[:2]
        text = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"http://[{text}]:{port}/ocsp" if ":" in text else f"http://{text}:{port}/ocsp"

    def stop(self) -> None:
        """Stop serving and free the port; may be called twice."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None:
            server.shutdown()
            server.server_close()
        if thread is not None:
            thread.join(timeout=5)

    def __enter__(self) -> OcspResponder:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], responder: OcspResponder) -> None:
        self.responder = responder
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away mid-request is no event worth a trace on stderr."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT_S

    def do_POST(self) -> None:
        """RFC 6960 A.1: the request as body."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_REQUEST_BYTES:
            self.send_error(413)
            return
        self._answer(self.rfile.read(int(length)))

    def do_GET(self) -> None:
        """RFC 6960 A.1: the request in Base64 as last part of the path."""
        encoded = urllib.parse.unquote(self.path).removeprefix("/ocsp/").lstrip("/")
        if len(encoded) > 2 * MAX_REQUEST_BYTES:
            self.send_error(414)
            return
        try:
            request = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            self.send_error(400)
            return
        self._answer(request)

    def _answer(self, request: bytes) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.responder.requests += 1
        body = server.responder.respond(request)
        self.send_response(200)
        self.send_header("Content-Type", "application/ocsp-response")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted, not printed."""


def _refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return response.public_bytes(serialization.Encoding.DER)


def _nonce(request: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    try:
        nonce = request.extensions.get_extension_for_class(x509.OCSPNonce).value
    except x509.ExtensionNotFound:
        return None
    return nonce if len(nonce.nonce) <= _MAX_NONCE else None


def request_for(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """DER of a request about one certificate (SHA-256)."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
    return builder.build().public_bytes(serialization.Encoding.DER)


def read_response(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> OcspResult:
    """Parse an answer about `certificate` and verify the signature of `issuer`; raises OcspError."""
    try:
        response = ocsp.load_der_ocsp_response(data)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise OcspError(f"responder answers {response.response_status.name.lower()}")
        if response.serial_number != certificate.serial_number:
            raise OcspError("the answer is about another certificate")
        key = issuer.public_key()
        algorithm = response.signature_hash_algorithm
        if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
            raise OcspError("the issuer has no elliptic-curve key to verify the answer with")
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        return OcspResult(
            _STATUS[response.certificate_status],
            response.this_update_utc,
            response.next_update_utc,
            data,
            response.revocation_time_utc,
        )
    except InvalidSignature as error:
        raise OcspError("the answer is not signed by the issuer") from error
    except UNREADABLE as error:
        raise OcspError(f"the answer cannot be read ({error})") from error


def query(
    url: str, certificate: x509.Certificate, issuer: x509.Certificate, timeout_s: float = 5.0
) -> OcspResult:
    """Ask the responder at `url` (http only) about a certificate; raises OcspError.

    `timeout_s` bounds each step of the exchange, MAX_RESPONSE_BYTES the answer.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise OcspError(f"{url!r} is no URL ({error})") from error
    if parts.scheme != "http" or not host:
        raise OcspError(f"{url!r} is no http URL")
    connection = http.client.HTTPConnection(host, port or 80, timeout=timeout_s)
    try:
        connection.request(
            "POST",
            parts.path or "/",
            body=request_for(certificate, issuer),
            headers={"Content-Type": "application/ocsp-request", "Connection": "close"},
        )
        answer = connection.getresponse()
        data = answer.read(MAX_RESPONSE_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise OcspError(f"no answer from {url} ({error or type(error).__name__})") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise OcspError(f"{url} answers HTTP {answer.status}")
    if len(data) > MAX_RESPONSE_BYTES:
        raise OcspError(f"{url} answers with more than {MAX_RESPONSE_BYTES} bytes")
    return read_response(data, certificate, issuer)
