"""A certificate authority for one self-test. Its keys are in memory, and go with it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Validity = tuple[datetime, datetime]
"""From when until when a certificate is valid."""


class _Pair(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Authority:
    """A root with one intermediate, in the form that Let's Encrypt's chains have."""

    def __init__(self, name: str, validity: Validity) -> None:
        self._root = _issue(name, validity, None, authority=True)
        self._intermediate = _issue(f"{name} intermediate", validity, self._root, authority=True)

    @property
    def der(self) -> bytes:
        """The root."""
        return self._root.certificate.public_bytes(serialization.Encoding.DER)

    def chain(self, host: str, validity: Validity) -> bytes:
        """A new key, its certificate for `host`, and the intermediate, in PEM."""
        intermediate = self._intermediate.certificate.public_bytes(serialization.Encoding.PEM)
        return _pem(_issue(host, validity, self._intermediate)) + intermediate


def self_signed(host: str, validity: Validity) -> bytes:
    """A new key and its certificate for `host`, signed by itself, in PEM."""
    return _pem(_issue(host, validity, None))


def _issue(
    name: str, validity: Validity, issuer: _Pair | None, *, authority: bool = False
) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(_usage(authority=authority), critical=True)
    )
    if not authority:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return _Pair(builder.sign(signer, hashes.SHA256()), key)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(pair: _Pair) -> bytes:
    key = pair.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key + pair.certificate.public_bytes(serialization.Encoding.PEM)
