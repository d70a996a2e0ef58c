"""A certificate as plain facts (RFC 5280).

Read here and not by a library: a library refuses more than OpenSSL does, and takes longer to
import than a host to check. Only OpenSSL says whether a certificate is valid.
"""

import hashlib
import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from agtool.le_staging import der as asn1
from agtool.le_staging.der import Element

if TYPE_CHECKING:
    from OpenSSL.crypto import X509

_COMMON_NAME = "2.5.4.3"
_ATTRIBUTES = {_COMMON_NAME: "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST"}
_ATTRIBUTES |= {"2.5.4.10": "O", "2.5.4.11": "OU", "0.9.2342.19200300.100.1.25": "DC"}
"""The short names of RFC 4514."""

_RSA, _EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
_KEYS = {"1.3.101.112": "Ed25519", "1.3.101.113": "Ed448", "1.2.840.10040.4.1": "DSA"}
_KEYS |= {"1.2.840.113549.1.1.10": "RSA-PSS", "2.16.840.1.101.3.4.3.17": "ML-DSA-44"}
_KEYS |= {"2.16.840.1.101.3.4.3.18": "ML-DSA-65", "2.16.840.1.101.3.4.3.19": "ML-DSA-87"}
_CURVES = {"1.2.840.10045.3.1.7": "P-256", "1.3.132.0.34": "P-384", "1.3.132.0.35": "P-521"}
_CURVES |= {"1.3.132.0.33": "P-224", "1.3.132.0.10": "secp256k1"}
"""As NIST calls them, and everybody else."""

_SIGNATURES = {
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448",
}
"""As OpenSSL calls them; others are shown by their number."""

_ALTERNATIVE_NAMES, _AUTHORITY_KEY, _ACCESS = "2.5.29.17", "2.5.29.35", "1.3.6.1.5.5.7.1.1"
_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"


class Certificate(NamedTuple):
    """What a certificate says.

    Attributes:
        subject, issuer: the common name, else the whole name (RFC 4514), else another name of it.
        common_names: all common names of the subject.
        dns_names: as they stand in the extension; wildcards included.
        addresses: IP addresses in the extension.
        not_before, not_after: in UTC.
        key, signature: type and size, algorithm.
        issuer_urls: where its issuer's certificate can be fetched (AIA).
        sha256: of `der`, in lower-case hexadecimal.
        self_issued: subject and issuer are the same name.
        spki: the SHA-256 of its public key (SubjectPublicKeyInfo), in lower-case hexadecimal.
        authority_key: how it identifies its issuer's key, in hexadecimal; may be empty.
        issuer_name: the whole name of the issuer (RFC 4514).
        extensions: the object identifiers of its extensions.
    """

    subject: str
    issuer: str
    common_names: tuple[str, ...]
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key: str
    signature: str
    issuer_urls: tuple[str, ...]
    sha256: str
    self_issued: bool
    der: bytes
    spki: str = ""
    authority_key: str = ""
    issuer_name: str = ""
    extensions: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names and addresses in the extension."""
        return [*self.dns_names, *self.addresses]


@lru_cache(maxsize=256)  # many hosts have the same intermediates and roots
def parse(der: bytes) -> Certificate:
    """Read a certificate. Raises ValueError when it is none."""
    outer = asn1.read(der)
    signed = outer.parts()
    if len(signed) != 3 or outer.tag != asn1.SEQUENCE:
        raise ValueError("not a certificate")
    fields = _fields(signed[0])
    _, _, issuer, validity, subject, key = fields[:6]
    dates = [asn1.time(date) for date in validity.parts()]
    if len(dates) != 2:
        raise ValueError("its validity is not two dates")
    extensions = dict(_extensions(fields[6:]))
    dns_names, addresses = _alternative_names(extensions.get(_ALTERNATIVE_NAMES))
    own, issuing = _attributes(subject), _attributes(issuer)
    common = tuple(value for name, value in own if name == "CN")
    return Certificate(
        subject=_shown(own) or next(iter([*dns_names, *addresses]), "(no name)"),
        issuer=_shown(issuing) or "(no name)",
        common_names=common,
        dns_names=dns_names,
        addresses=addresses,
        not_before=dates[0],
        not_after=dates[1],
        key=_key(key),
        signature=_signature(signed[1]),
        issuer_urls=_issuer_urls(extensions.get(_ACCESS)),
        sha256=hashlib.sha256(der).hexdigest(),
        self_issued=_folded(own) == _folded(issuing),
        der=der,
        spki=hashlib.sha256(key.whole).hexdigest(),
        authority_key=_authority_key(extensions.get(_AUTHORITY_KEY)),
        issuer_name=_whole(issuing),
        extensions=tuple(extensions),
    )


def key_of(der: bytes) -> str:
    """The SHA-256 of a certificate's public key, in lower-case hexadecimal. Raises ValueError.

    Nothing else is read, so that a whole list of roots takes a few milliseconds.
    """
    certificate = next(asn1.elements(der), None)
    signed = next(asn1.elements(certificate.content), None) if certificate else None
    if signed is None:
        raise ValueError("not a certificate")
    return hashlib.sha256(_fields(signed)[5].whole).hexdigest()


def from_openssl(certificate: "X509") -> Certificate:
    """The facts of a certificate that OpenSSL holds. Raises ValueError as `parse` does."""
    from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

    return parse(dump_certificate(FILETYPE_ASN1, certificate))


def _fields(signed: Element) -> list[Element]:
    """Serial number, algorithm, issuer, validity, subject, key, and what comes after them."""
    fields = signed.parts()
    if fields and fields[0].tag == 0xA0:  # the version
        fields = fields[1:]
    if len(fields) < 6:
        raise ValueError("the certificate is not complete")
    return fields


def _extensions(fields: list[Element]) -> Iterator[tuple[str, bytes]]:
    for field in fields:
        if field.tag != 0xA3:
            continue
        for extension in asn1.read(field.content).parts():
            number, *_, value = extension.parts()
            yield asn1.dotted(number.content), value.content


def _alternative_names(value: bytes | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of kinds other than host names and addresses nothing is read: curl does not either."""
    names: list[str] = []
    addresses: list[str] = []
    with suppress(ValueError):  # unreadable names match nothing
        for name in asn1.read(value).parts() if value is not None else ():
            if name.tag == 0x82:
                names.append(name.content.decode("ascii", errors="replace"))
            elif name.tag == 0x87:
                with suppress(ValueError):
                    addresses.append(str(ipaddress.ip_address(name.content)))
    return tuple(names), tuple(addresses)


def _issuer_urls(value: bytes | None) -> tuple[str, ...]:
    found = []
    with suppress(ValueError):
        for access in asn1.read(value).parts() if value is not None else ():
            method, place = access.parts()
            if asn1.dotted(method.content) == _CA_ISSUERS and place.tag == 0x86:
                found.append(place.content.decode("ascii", errors="replace"))
    return tuple(found)


def _authority_key(value: bytes | None) -> str:
    with suppress(ValueError):
        for part in asn1.read(value).parts() if value is not None else ():
            if part.tag == 0x80:
                return part.content.hex()
    return ""


def _attributes(name: Element) -> list[tuple[str, str]]:
    """The parts of a distinguished name, each with its short name or number."""
    found = []
    for part in name.parts():
        for attribute in part.parts():
            number, value = attribute.parts()
            dotted = asn1.dotted(number.content)
            found.append((_ATTRIBUTES.get(dotted, dotted), asn1.text(value)))
    return found


def _shown(attributes: list[tuple[str, str]]) -> str:
    common = [value for name, value in attributes if name == "CN"]
    return common[-1] if common else _whole(attributes)


def _whole(attributes: list[tuple[str, str]]) -> str:
    return ",".join(f"{name}={value}" for name, value in reversed(attributes))


def _folded(attributes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """As OpenSSL compares names: without regard to case and repeated spaces."""
    return [(name, " ".join(value.lower().split())) for name, value in attributes]


def _key(info: Element) -> str:
    with suppress(ValueError):
        algorithm, bits = info.parts()
        kind, *parameters = algorithm.parts()
        number = asn1.dotted(kind.content)
        if number == _RSA:
            modulus, *_ = asn1.read(bits.content[1:]).parts()
            return f"RSA {int.from_bytes(modulus.content, 'big').bit_length()}"
        if number == _EC:
            if parameters and parameters[0].tag != asn1.OID:
                return "ECDSA with a curve of its own"
            curve = asn1.dotted(parameters[0].content) if parameters else ""
            return f"ECDSA {_CURVES.get(curve, curve)}".rstrip()
        return _KEYS.get(number, "unknown key")
    return "unknown key"


def _signature(algorithm: Element) -> str:
    with suppress(ValueError):
        kind, *_ = algorithm.parts()
        number = asn1.dotted(kind.content)
        return _SIGNATURES.get(number, number)
    return "unknown algorithm"
