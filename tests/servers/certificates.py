"""Certificates made for a test, good ones and broken ones."""

import functools
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

DAY = timedelta(days=1)


def now() -> datetime:
    """The present, in whole seconds, as certificates have it."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def new_key(kind: str = "ec") -> Key:
    """Make a key: ec (P-256), ed25519, or rsa with its size as in rsa2048."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return _rsa(int(kind.removeprefix("rsa")))


@functools.cache
def _rsa(size: int) -> rsa.RSAPrivateKey:
    """One key of each size: making them is slow, and nobody minds that certificates share one."""
    return rsa.generate_private_key(65537, size)


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and the certificates up to the root, which comes last."""

    certificate: x509.Certificate
    key: Key
    above: tuple[x509.Certificate, ...] = ()

    @property
    def sha256(self) -> str:
        """Its fingerprint."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        """The certificate."""
        return to_pem(self.certificate)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What a well configured server sends: all but the root."""
        return (self.certificate, *self.above[:-1])

    @property
    def key_pem(self) -> str:
        """The key, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def intermediate(self, name: str, **options: object) -> "Issued":
        """Issue a CA below this one."""
        return issue(self, name, ca=True, **options)  # type: ignore[arg-type]

    def leaf(self, *names: str, **options: object) -> "Issued":
        """Issue a server's certificate; names that are addresses become such."""
        return issue(self, names[0] if names else None, names=names, **options)  # type: ignore[arg-type]


def to_pem(*certificates: x509.Certificate) -> str:
    """Certificates in PEM, one after the other."""
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in certificates)


def root(name: str, *, days: tuple[float, float] = (-1, 3650), key: str = "ec") -> Issued:
    """Make a root CA."""
    return issue(None, name, ca=True, days=days, key=key)


def issue(
    issuer: Issued | None,
    common_name: str | None,
    *,
    names: Sequence[str] | None = None,
    ca: bool = False,
    days: tuple[float, float] = (-1, 60),
    key: str | Key = "ec",
    purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
    basic: x509.BasicConstraints | None = None,
    key_usage: x509.KeyUsage | None = None,
    issuer_url: str = "",
    subject: x509.Name | None = None,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """Make a certificate below `issuer`, or a self-signed one.

    days: the validity, from now. names: the alternative names; None or empty: the certificate has
    no such extension. subject: in the place of the common name. more: further extensions, each
    with whether it is critical.
    """
    own_key = new_key(key) if isinstance(key, str) else key
    subject = subject or x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name is not None else []
    )
    signer, signing_key = (issuer.certificate.subject, issuer.key) if issuer else (subject, own_key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() + DAY * days[0])
        .not_valid_after(now() + DAY * days[1])
        .add_extension(basic or x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own_key.public_key()), False)
    )
    if issuer:
        issuer_key = issuer.certificate.public_key()
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)  # type: ignore[arg-type]
        builder = builder.add_extension(identifier, critical=False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
    if purpose and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if key_usage:
        builder = builder.add_extension(key_usage, critical=True)
    if issuer_url:
        access = x509.AccessDescription(
            x509.oid.AuthorityInformationAccessOID.CA_ISSUERS,
            x509.UniformResourceIdentifier(issuer_url),
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    hashed = None if isinstance(signing_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(signing_key, hashed)
    above = (issuer.certificate, *issuer.above) if issuer else ()
    return Issued(certificate, own_key, above)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    """A key usage with digital signature, and perhaps the right to sign certificates."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
