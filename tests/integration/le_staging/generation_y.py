"""Let's Encrypt's Generation Y in two worlds, staging and production, with keys of the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agtool.le_staging.roots import pins, store
from agtool.le_staging.roots.pins import Pin, Twin
from tests.servers.certificates import Issued, root, to_pem

STAGING = {twin.name: name for name, twin in pins.TWINS.items()}
"""The name of a production root, and of the staging root that plays its part."""

RSA_PARTS = ("YR1", "Root YR", "YR by X1", "YR by X1, expired", "ISRG Root X1")
ECDSA_PARTS = (
    *("YE1", "Root YE", "YE by X2", "YE by X2, expired", "ISRG Root X2"),
    *("X2 by X1", "X2 by X1, expired", "ISRG Root X1"),
)
"""What a server can send above its own certificate."""

PAST = (-900.0, -1.0)


@dataclass(frozen=True)
class World:
    """The four roots of one of the two, and everything between them and a leaf, by name."""

    roots: dict[str, Issued]
    parts: dict[str, Issued]

    def sent(self, leaf: Issued, above: Sequence[str]) -> list[x509.Certificate]:
        """The leaf, and the parts above it in this order."""
        return [leaf.certificate, *(self.parts[name].certificate for name in above)]


def world(names: dict[str, str]) -> World:
    """Make one; names: what its roots are called, by the names of the production roots."""
    x1, x2, ye, yr = (root(names[name]) for name in ("ISRG Root X1", "ISRG Root X2", *_Y))
    yr_name, ye_name, x2_name = names["Root YR"], names["Root YE"], names["ISRG Root X2"]
    parts = {
        "YR1": yr.intermediate("YR1", days=(-1, 1000)),
        "YE1": ye.intermediate("YE1", days=(-1, 1000)),
        "YR by X1": x1.intermediate(yr_name, key=yr.key, days=(-1, 1000)),
        "YE by X2": x2.intermediate(ye_name, key=ye.key, days=(-1, 1000)),
        "X2 by X1": x1.intermediate(x2_name, key=x2.key, days=(-1, 1000)),
        "YR by X1, expired": x1.intermediate(yr_name, key=yr.key, days=PAST),
        "YE by X2, expired": x2.intermediate(ye_name, key=ye.key, days=PAST),
        "X2 by X1, expired": x1.intermediate(x2_name, key=x2.key, days=PAST),
    }
    roots = {"ISRG Root X1": x1, "ISRG Root X2": x2, "Root YE": ye, "Root YR": yr}
    return World(roots, {**parts, **roots})


_Y = ("Root YE", "Root YR")


@dataclass(frozen=True)
class Worlds:
    """Both. public: the file that stands for Mozilla's list, with the twins X1 and X2."""

    staging: World
    production: World
    public: Path

    def publish(self, *names: str) -> None:
        """Let Mozilla's list have these production roots."""
        found = [self.production.roots[name].certificate for name in names]
        self.public.write_text(to_pem(*found))


def settle(folder: Path, patch: pytest.MonkeyPatch) -> Worlds:
    """Make both, and let the pins be theirs."""
    staging, production = world(STAGING), world({name: name for name in STAGING})
    for name, twin in pins.TWINS.items():
        issued, real = staging.roots[twin.name], production.roots[twin.name]
        pin = Pin(name, "https://ca.test/", issued.sha256, spki=spki(issued), key_id=ski(issued))
        patch.setitem(pins.BY_SHA256, issued.sha256, pin)
        patch.setitem(pins.TWINS, name, Twin(twin.name, spki(real), ski(real), twin.signed_by))
    worlds = Worlds(staging, production, folder / "public.pem")
    worlds.publish("ISRG Root X1", "ISRG Root X2")
    patch.setattr("certifi.where", lambda: str(worlds.public))
    patch.setenv("SSL_CERT_FILE", str(folder / "none.pem"))
    patch.setenv("SSL_CERT_DIR", str(folder / "none"))
    return worlds


def fetched(staging: World) -> list[store.Root]:
    """What `fetch` would keep of its roots."""
    return [
        store.Root(STAGING[name], "https://ca.test/", issued.sha256, issued.der)
        for name, issued in staging.roots.items()
    ]


def spki(issued: Issued) -> str:
    """The SHA-256 of its public key."""
    public = issued.key.public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def ski(issued: Issued) -> str:
    """How certificates below it identify its key."""
    return x509.SubjectKeyIdentifier.from_public_key(issued.key.public_key()).digest.hex()
