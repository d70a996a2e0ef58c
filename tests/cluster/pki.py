"""Certificates and kubeconfigs: one authority for each cluster."""

import base64
import datetime as dt
import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = dt.timedelta(days=365)


class Pair(NamedTuple):
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.crt and NAME.key, which only the owner can read."""
        write_private(folder / f"{name}.crt", self.certificate)
        write_private(folder / f"{name}.key", self.key)


class Authority:
    """What signs the certificates of a cluster; its own are ca.crt and ca.key in the folder."""

    def __init__(self, folder: Path, name: str = "agtool-tests") -> None:
        self.folder = folder
        self.certificate = folder / "ca.crt"
        if not self.certificate.exists():
            folder.mkdir(parents=True, exist_ok=True)
            key = ec.generate_private_key(ec.SECP256R1())
            subject = _name(name, ())
            usage = _key_usage(key_cert_sign=True)
            made = (
                _builder(subject, subject, key.public_key())
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .add_extension(usage, critical=True)
                .sign(key, hashes.SHA256())
            )
            # The certificate comes last: it tells that both are there.
            write_private(folder / "ca.key", _pem(key))
            write_private(self.certificate, made.public_bytes(serialization.Encoding.PEM))
        self._certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        loaded = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded

    def client(self, user: str, groups: Sequence[str] = (), valid: dt.timedelta = VALID) -> Pair:
        """A certificate with which a user of these groups logs in."""
        return self._issue(_name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, (), valid)

    def server(self, name: str, hosts: Sequence[str]) -> Pair:
        """A certificate for a server; hosts: names and addresses."""
        return self._issue(_name(name, ()), ExtendedKeyUsageOID.SERVER_AUTH, hosts)

    def _issue(
        self,
        name: x509.Name,
        purpose: x509.ObjectIdentifier,
        hosts: Sequence[str],
        valid: dt.timedelta = VALID,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(name, self._certificate.subject, key.public_key(), valid)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        )
        if hosts:
            names = x509.SubjectAlternativeName(list(map(_general_name, hosts)))
            builder = builder.add_extension(names, critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        return Pair(made.public_bytes(serialization.Encoding.PEM), _pem(key))


def service_account_key(folder: Path) -> None:
    """Write sa.key and sa.pub, by which the tokens of service accounts are signed and verified."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(folder / "sa.key", _pem(key))
    write_private(folder / "sa.pub", public)


def sign_token(key: Path, claims: Mapping[str, object]) -> str:
    """A service account's token with these claims (RFC 7519, ES256); key: sa.key."""
    signer = serialization.load_pem_private_key(key.read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "ES256"}, claims)]
    signature = signer.sign(".".join(parts).encode(), ec.ECDSA(hashes.SHA256()))
    numbers = [number.to_bytes(32, "big") for number in decode_dss_signature(signature)]
    return ".".join([*parts, _base64url(b"".join(numbers))])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def write_kubeconfig(path: Path, url: str, authority: Path, user: Pair | str) -> Path:
    """Write a kubeconfig with its certificates inside; user: a certificate or a token.

    JSON, which YAML includes. Returns the path.
    """
    if isinstance(user, str):
        login: dict[str, Any] = {"token": user}
    else:
        login = {
            "client-certificate-data": base64.b64encode(user.certificate).decode(),
            "client-key-data": base64.b64encode(user.key).decode(),
        }
    server = {
        "server": url,
        "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "agtool-tests", "cluster": server}],
        "users": [{"name": path.stem, "user": login}],
        "contexts": [
            {"name": path.stem, "context": {"cluster": "agtool-tests", "user": path.stem}}
        ],
        "current-context": path.stem,
    }
    write_private(path, json.dumps(config, indent=1).encode())
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_bytes(content)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    valid: dt.timedelta = VALID,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A container's clock may be a little behind.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + valid)
    )


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(user: str, groups: Sequence[str]) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
