"""What is in the folder, with versions and licences: a CycloneDX 1.6 document, and the licences."""

from __future__ import annotations

import email
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agtool import __version__
from bundle import ROOT
from bundle.debian import Package

_DEBIAN = {
    "libbz2-1.0": "bzip2-1.0.6",
    "libc6": "LGPL-2.1-or-later",
    "libexpat1": "MIT",
    "libffi8": "MIT",
    "libgcc-s1": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "liblzma5": "0BSD",
    "libpython3.11-minimal": "PSF-2.0",
    "libpython3.11-stdlib": "PSF-2.0",
    "libsqlite3-0": "blessing",
    "libssl3": "Apache-2.0",
    "libuuid1": "BSD-3-Clause",
    "python3-cffi-backend": "MIT",
    "python3-cryptography": "Apache-2.0 OR BSD-3-Clause",
    "python3.11-minimal": "PSF-2.0",
    "zlib1g": "Zlib",
}
"""The licence of what is used of a package, as SPDX names it: of libuuid1, not of mount."""

_IN_PSYCOPG2 = {
    "libcom_err": "MIT",
    "libcrypt": "LGPL-2.1-or-later",
    "libcrypto": "Apache-2.0",
    "libgssapi_krb5": "MIT",
    "libk5crypto": "MIT",
    "libkeyutils": "LGPL-2.1-or-later",
    "libkrb5": "MIT",
    "libkrb5support": "MIT",
    "liblber": "OLDAP-2.8",
    "libldap": "OLDAP-2.8",
    "libpcre": "BSD-3-Clause",
    "libpcre2": "BSD-3-Clause",
    "libpq": "PostgreSQL",
    "libsasl2": "BSD-4-Clause-UC",
    "libselinux": "libselinux-1.0",
    "libssl": "Apache-2.0",
}
"""The libraries that psycopg2's wheel brings."""

_FROM_TEXT = {
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "LGPL with exceptions": "LGPL-3.0-or-later",
    "MIT License": "MIT",
}
"""What older wheels say in words, as SPDX names it."""


def licences(packages: Iterable[Package], system: Path, site: Path) -> dict[str, bytes]:
    """The licences' texts, each by its name: that of the package that it is for."""
    found = {"agtool": (ROOT / "LICENSE").read_bytes()}
    for package in packages:
        path = system / "usr/share/doc" / package.name / "copyright"
        # libpython3.11-stdlib's documentation is a link to that of its sibling.
        if path.exists():
            found[package.name] = path.read_bytes()
    for folder in sorted(site.glob("*.dist-info")):
        texts = sorted(
            path for path in folder.rglob("*") if path.is_file() and "LICENSE" in path.name.upper()
        )
        if texts:
            found[folder.name.removesuffix(".dist-info")] = texts[0].read_bytes()
    return found


def document(
    architecture: str, packages: Iterable[Package], site: Path, files: Sequence[str]
) -> bytes:
    """The list of components as JSON; the same for the same components."""
    components = [*map(_package, packages), *_wheels(site, files)]
    made = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "agtool",
                "name": "agtool",
                "version": __version__,
                "licenses": [{"expression": "Apache-2.0"}],
                "properties": [{"name": "agtool:architecture", "value": architecture}],
            }
        },
        "components": components,
    }
    return json.dumps(made, indent=1, sort_keys=True).encode() + b"\n"


def _package(package: Package) -> dict[str, Any]:
    url = f"pkg:deb/debian/{package.name}@{package.version}?arch={package.architecture}"
    return {
        **_component(package.name, package.version, url, _DEBIAN[package.name]),
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
    }


def _wheels(site: Path, files: Sequence[str]) -> Iterator[dict[str, Any]]:
    for folder in sorted(site.glob("*.dist-info")):
        metadata = email.message_from_bytes((folder / "METADATA").read_bytes())
        name, version = str(metadata["Name"]).lower(), str(metadata["Version"])
        licence = metadata["License-Expression"] or metadata["License"] or ""
        url = f"pkg:pypi/{name}@{version}"
        component = _component(
            name, version, url, _FROM_TEXT.get(licence, licence) or _by_class(metadata)
        )
        if name == "psycopg2-binary":
            component["components"] = [
                _library(file) for file in files if "/psycopg2_binary.libs/" in file
            ]
        yield component


def _by_class(metadata: Any) -> str:
    """The licence that a wheel tells by a classifier only."""
    for line in metadata.get_all("Classifier", []):
        said = str(line).rpartition(" :: ")[2]
        if str(line).startswith("License :: "):
            return _FROM_TEXT.get(said, said)
    return "NOASSERTION"


def _library(file: str) -> dict[str, Any]:
    """A library in a wheel, whose name tells no version that one could rely on."""
    name = file.rpartition("/")[2].partition("-")[0]
    return {
        "type": "library",
        "name": name,
        "licenses": [{"expression": _IN_PSYCOPG2[name]}],
        "properties": [{"name": "agtool:file", "value": file}],
    }


def _component(name: str, version: str, url: str, licence: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
        "licenses": [{"expression": licence}],
    }
