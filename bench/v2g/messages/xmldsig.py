"""XML signature message set (``xmldsig``), W3C XML-Signature Syntax and Processing, as the V2G schemas
import it.

Types with wildcards or mixed content keep their children, in order, in ``content``: text as ``str``, foreign
elements
as :class:`bench.exi.node.Node`, declared ones as an instance of their class or
:class:`bench.exi.declare.Named`.
V2G uses none of that: the lists stay empty.
"""

import sys

import bench.v2g.messages.xmldsig as t  # noqa: PLW0406  # a field often has the name of its type
from bench.exi.declare import (
    UNBOUNDED,
    Child,
    Choice,
    MessageSet,
    Named,
    Record,
    Sequence,
    Wildcard,
    any_content,
    attribute,
    element,
    text,
)
from bench.exi.node import Node
from bench.exi.values import ANY_URI, BASE64, ID, INTEGER, STRING, Binary, Integer

XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"

Content = list[Record | Named | Node | str]
"""Children in order, where a schema leaves order or names open."""

CryptoBinary = Binary("CryptoBinary")
DigestValueType = Binary("DigestValueType")
HMACOutputLengthType = Integer("HMACOutputLengthType")

_ANY = Wildcard(min=0, max=UNBOUNDED)


class CanonicalizationMethod(Record, ns=XMLDSIG, element=True, mixed=True, content=Sequence(_ANY)):
    """``Algorithm``: URI; V2G: http://www.w3.org/TR/canonical-exi/."""

    content: Content = any_content(default_factory=list)
    Algorithm: str = attribute(ANY_URI)


class SignatureMethod(
    Record, ns=XMLDSIG, element=True, mixed=True, content=Sequence(Sequence("HMACOutputLength", min=0), _ANY)
):
    """``Algorithm``: URI; V2G: http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256 (-2)."""

    HMACOutputLength: int | None = element(HMACOutputLengthType, default=None)
    content: Content = any_content(default_factory=list)
    Algorithm: str = attribute(ANY_URI)


class Transform(
    Record,
    ns=XMLDSIG,
    element=True,
    mixed=True,
    content=Choice(Wildcard(), Child("XPath", STRING), min=0, max=UNBOUNDED),
):
    """``Algorithm``: URI; V2G: http://www.w3.org/TR/canonical-exi/."""

    content: Content = any_content(default_factory=list)
    Algorithm: str = attribute(ANY_URI)


class Transforms(Record, ns=XMLDSIG, element=True):
    """One or more transforms."""

    Transform: list[t.Transform] = element(max=UNBOUNDED)


class DigestMethod(Record, ns=XMLDSIG, element=True, mixed=True, content=Sequence(_ANY)):
    """``Algorithm``: URI; V2G: http://www.w3.org/2001/04/xmlenc#sha256 (-2)."""

    content: Content = any_content(default_factory=list)
    Algorithm: str = attribute(ANY_URI)


class Reference(Record, ns=XMLDSIG, element=True):
    """One signed element: ``URI`` is "#" and its Id, ``DigestValue`` the hash of its EXI fragment."""

    Transforms: t.Transforms | None = element(default=None)
    DigestMethod: t.DigestMethod = element()
    DigestValue: bytes = element(DigestValueType)
    Id: str | None = attribute(ID, default=None)
    URI: str | None = attribute(ANY_URI, default=None)
    Type: str | None = attribute(ANY_URI, default=None)


class SignedInfo(Record, ns=XMLDSIG, element=True):
    """What the signature covers."""

    CanonicalizationMethod: t.CanonicalizationMethod = element()
    SignatureMethod: t.SignatureMethod = element()
    Reference: list[t.Reference] = element(max=UNBOUNDED)
    Id: str | None = attribute(ID, default=None)


class SignatureValue(Record, ns=XMLDSIG, element=True):
    """``value``: raw r and s, one after the other."""

    value: bytes = text(BASE64)
    Id: str | None = attribute(ID, default=None)


class RetrievalMethod(Record, ns=XMLDSIG, element=True):
    """Where to find a key."""

    Transforms: t.Transforms | None = element(default=None)
    URI: str | None = attribute(ANY_URI, default=None)
    Type: str | None = attribute(ANY_URI, default=None)


class X509IssuerSerial(Record, ns=XMLDSIG):
    """A certificate by issuer name and serial number (an integer of any size)."""

    X509IssuerName: str = element(STRING)
    X509SerialNumber: int = element(INTEGER)


class X509Data(
    Record,
    ns=XMLDSIG,
    element=True,
    content=Choice(
        Child("X509IssuerSerial", X509IssuerSerial),
        Child("X509SKI", BASE64),
        Child("X509SubjectName", STRING),
        Child("X509Certificate", BASE64),
        Child("X509CRL", BASE64),
        Wildcard(),
        max=UNBOUNDED,
    ),
):
    """Certificates and ways to name them, in any order."""

    content: Content = any_content(default_factory=list)


class PGPData(
    Record,
    ns=XMLDSIG,
    element=True,
    content=Choice(
        Sequence("PGPKeyID", Sequence("PGPKeyPacket", min=0), _ANY),
        Sequence("PGPKeyPacket", _ANY),
    ),
):
    """A PGP key: an id, a packet or both."""

    PGPKeyID: bytes | None = element(BASE64, default=None)
    PGPKeyPacket: bytes | None = element(BASE64, default=None)
    content: Content = any_content(default_factory=list)


class SPKIData(
    Record,
    ns=XMLDSIG,
    element=True,
    content=Sequence(Child("SPKISexp", BASE64), Wildcard(min=0), max=UNBOUNDED),
):
    """SPKI public keys."""

    content: Content = any_content(default_factory=list)


class DSAKeyValue(
    Record,
    ns=XMLDSIG,
    element=True,
    content=Sequence(
        Sequence("P", "Q", min=0),
        Sequence("G", min=0),
        "Y",
        Sequence("J", min=0),
        Sequence("Seed", "PgenCounter", min=0),
    ),
):
    """A DSA public key; ``P`` and ``Q``, and ``Seed`` and ``PgenCounter``, come together or not at all."""

    P: bytes | None = element(CryptoBinary, default=None)
    Q: bytes | None = element(CryptoBinary, default=None)
    G: bytes | None = element(CryptoBinary, default=None)
    Y: bytes = element(CryptoBinary)
    J: bytes | None = element(CryptoBinary, default=None)
    Seed: bytes | None = element(CryptoBinary, default=None)
    PgenCounter: bytes | None = element(CryptoBinary, default=None)


class RSAKeyValue(Record, ns=XMLDSIG, element=True):
    """An RSA public key, big-endian."""

    Modulus: bytes = element(CryptoBinary)
    Exponent: bytes = element(CryptoBinary)


class KeyValue(
    Record,
    ns=XMLDSIG,
    element=True,
    mixed=True,
    content=Choice(Child("DSAKeyValue", DSAKeyValue), Child("RSAKeyValue", RSAKeyValue), Wildcard()),
):
    """One public key."""

    content: Content = any_content(default_factory=list)


class KeyInfo(
    Record,
    ns=XMLDSIG,
    element=True,
    mixed=True,
    content=Choice(
        Child("KeyName", STRING),
        Child("KeyValue", KeyValue),
        Child("RetrievalMethod", RetrievalMethod),
        Child("X509Data", X509Data),
        Child("PGPData", PGPData),
        Child("SPKIData", SPKIData),
        Child("MgmtData", STRING),
        Wildcard(),
        max=UNBOUNDED,
    ),
):
    """Which key verifies the signature. V2G leaves it out."""

    content: Content = any_content(default_factory=list)
    Id: str | None = attribute(ID, default=None)


class Object(
    Record,
    ns=XMLDSIG,
    element=True,
    mixed=True,
    content=Sequence(Wildcard(), min=0, max=UNBOUNDED),
):
    """Anything."""

    content: Content = any_content(default_factory=list)
    Id: str | None = attribute(ID, default=None)
    MimeType: str | None = attribute(STRING, default=None)
    Encoding: str | None = attribute(ANY_URI, default=None)


class Signature(Record, ns=XMLDSIG, element=True):
    """An XML signature as V2G puts it into a message header."""

    SignedInfo: t.SignedInfo = element()
    SignatureValue: t.SignatureValue = element()
    KeyInfo: t.KeyInfo | None = element(default=None)
    Object: list[t.Object] = element(default_factory=list, max=UNBOUNDED)
    Id: str | None = attribute(ID, default=None)


class Manifest(Record, ns=XMLDSIG, element=True):
    """A list of references."""

    Reference: list[t.Reference] = element(max=UNBOUNDED)
    Id: str | None = attribute(ID, default=None)


class SignatureProperty(
    Record, ns=XMLDSIG, element=True, mixed=True, content=Choice(Wildcard(), max=UNBOUNDED)
):
    """A statement about the signature."""

    content: Content = any_content(default_factory=list)
    Target: str = attribute(ANY_URI)
    Id: str | None = attribute(ID, default=None)


class SignatureProperties(Record, ns=XMLDSIG, element=True):
    """Statements about the signature."""

    SignatureProperty: list[t.SignatureProperty] = element(max=UNBOUNDED)
    Id: str | None = attribute(ID, default=None)


SET = MessageSet(
    "xmldsig",
    namespaces={"ns4": XMLDSIG},
    modules=(sys.modules[__name__],),
    simple={
        (XMLDSIG, "DigestValue"): DigestValueType,
        (XMLDSIG, "KeyName"): STRING,
        (XMLDSIG, "MgmtData"): STRING,
    },
)
