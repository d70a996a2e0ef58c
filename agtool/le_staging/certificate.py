"""A certificate as plain facts."""

from __future__ import annotations

import hashlib
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509
    from OpenSSL.crypto import X509


_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
"""As NIST calls them, and everybody else."""


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

    @property
    def names(self) -> list[str]:
        """The names and addresses in the extension."""
        return [*self.dns_names, *self.addresses]


def parse(der: bytes) -> Certificate:
    """Read a certificate. Raises ValueError when it is none."""
    from cryptography import x509

    with warnings.catch_warnings():
        # Oddities of other people's certificates; a serial number of 0, for one.
        warnings.simplefilter("ignore")
        return _facts(x509.load_der_x509_certificate(der), der)


def from_openssl(certificate: X509) -> Certificate:
    """The facts of a certificate that OpenSSL holds. Raises ValueError as `parse` does."""
    from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

    return parse(dump_certificate(FILETYPE_ASN1, certificate))


def _facts(certificate: x509.Certificate, der: bytes) -> Certificate:
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID as Aia

    dns_names: list[str] = []
    addresses: list[str] = []
    issuer_urls: list[str] = []
    try:
        for extension in certificate.extensions:
            value = extension.value
            if isinstance(value, x509.SubjectAlternativeName):
                dns_names = value.get_values_for_type(x509.DNSName)
                addresses = [str(a) for a in value.get_values_for_type(x509.IPAddress)]
            elif isinstance(value, x509.AuthorityInformationAccess):
                issuer_urls = [
                    access.access_location.value
                    for access in value
                    if access.access_method == Aia.CA_ISSUERS
                    and isinstance(access.access_location, x509.UniformResourceIdentifier)
                ]
        attributes = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        common_names = [str(attribute.value) for attribute in attributes]
    except (ValueError, x509.DuplicateExtension):
        common_names = []  # unreadable names match nothing, and nothing stands in for them
    return Certificate(
        subject=_name(certificate.subject) or next(iter([*dns_names, *addresses]), "(no name)"),
        issuer=_name(certificate.issuer) or "(no name)",
        common_names=tuple(common_names),
        dns_names=tuple(dns_names),
        addresses=tuple(addresses),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=_key(certificate),
        signature=_signature(certificate),
        issuer_urls=tuple(issuer_urls),
        sha256=hashlib.sha256(der).hexdigest(),
        self_issued=certificate.subject == certificate.issuer,
        der=der,
    )


def _name(name: x509.Name) -> str:
    from cryptography.x509 import NameOID

    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[-1].value) if common else name.rfc4514_string()


def _key(certificate: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown key"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    return type(key).__name__.removesuffix("PublicKey").lstrip("_")


def _signature(certificate: x509.Certificate) -> str:
    from OpenSSL.crypto import X509

    try:
        return X509.from_cryptography(certificate).get_signature_algorithm().decode()
    except ValueError:  # an algorithm without a name
        return certificate.signature_algorithm_oid.dotted_string
