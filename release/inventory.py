"""What is in the wheel and in the images, as CycloneDX 1.6 lists it. bundle lists the folders."""

from __future__ import annotations

import email
import json
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement


def of_wheel(wheel: Path, seconds: int) -> bytes:
    """The wheel, the programs that are compiled into it, and the libraries that it asks for."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
        programs = [
            _file(Path(name).name, archive.read(name), "Apache-2.0")
            for name in sorted(archive.namelist())
            if "/pause/data/" in name
        ]
    name, version = str(metadata["Name"]), str(metadata["Version"])
    libraries = (Requirement(line) for line in metadata.get_all("Requires-Dist", ()))
    own = [
        _library(each) for each in libraries if "extra ==" not in str(each.marker).replace("'", '"')
    ]
    made = Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=f"pkg:pypi/{name}@{version}",
        purl=PackageURL("pypi", None, name, version),
        hashes=[_hash(wheel.read_bytes())],
        licenses=[LicenseExpression("Apache-2.0")],
    )
    return _document(made, [*programs, *own], seconds)


def of_image(image: Path, folders: Mapping[str, Path], version: str, seconds: int) -> bytes:
    """An image, as the lists of the folders that it has, by architecture, say."""
    parts = []
    for architecture, path in sorted(folders.items()):
        # As the library understands it: what is not valid is not passed on.
        listed = Bom.from_json(json.loads(path.read_text(encoding="utf-8")))  # type: ignore[attr-defined]
        inside = list(listed.components)
        _name(inside, architecture)
        parts.append(
            Component(
                name=f"linux/{architecture}",
                type=ComponentType.CONTAINER,
                bom_ref=architecture,
                version=version,
                components=inside,
            )
        )
    made = Component(
        name=image.name.removesuffix(f"-{version}-image.tar"),
        version=version,
        type=ComponentType.CONTAINER,
        bom_ref="image",
        hashes=[_hash(image.read_bytes())],
        licenses=[LicenseExpression("Apache-2.0")],
    )
    return _document(made, parts, seconds)


def _name(components: Iterable[Component], above: str) -> None:
    """Give all a reference of their own: the same in two parts is two, and none is random."""
    for number, component in enumerate(components):
        own = component.bom_ref.value or f"{number}-{component.name}"
        component.bom_ref.value = f"{above}/{own}"
        _name(component.components, component.bom_ref.value)


def problem(document: bytes) -> str:
    """What is wrong with a document by the schema of CycloneDX; empty: nothing."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.decode())
    return str(found or "")


def _document(made: Component, components: Iterable[Component], seconds: int) -> bytes:
    at = datetime.fromtimestamp(seconds, tz=timezone.utc)
    digest = sha256("".join(map(str, made.hashes)).encode()).hexdigest()
    bom = Bom(
        components=components,
        metadata=BomMetaData(component=made, timestamp=at),
        # Random else.
        serial_number=uuid5(NAMESPACE_URL, f"{made.name}@{made.version}:{digest}"),
    )
    bom.register_dependency(made, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1).encode() + b"\n"


def _library(wanted: Requirement) -> Component:
    """A library whose version is chosen when it is installed."""
    bounds = [Property(name="agtool:versions", value=str(wanted.specifier) or "any")]
    if wanted.marker:
        bounds.append(Property(name="agtool:marker", value=str(wanted.marker)))
    return Component(
        name=wanted.name,
        bom_ref=BomRef(f"pkg:pypi/{wanted.name.lower()}"),
        purl=PackageURL("pypi", None, wanted.name.lower()),
        properties=bounds,
    )


def _file(name: str, content: bytes, licence: str) -> Component:
    return Component(
        name=name,
        type=ComponentType.FILE,
        bom_ref=name,
        hashes=[_hash(content)],
        licenses=[LicenseExpression(licence)],
    )


def _hash(content: bytes) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256(content).hexdigest())
