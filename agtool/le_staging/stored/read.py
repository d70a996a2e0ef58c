"""What a file has of certificates and keys: PEM, DER, PKCS 12, or Secrets in YAML or JSON."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from agtool.core.finding import Finding
from agtool.le_staging import der as asn1
from agtool.le_staging.certificate import Certificate, parse
from agtool.le_staging.stored.key import KeyUnreadable, NeedsPassword, public_key_of
from agtool.le_staging.verify.kept import Stored

_BLOCK = re.compile(
    rb"-----BEGIN (?P<kind>[A-Z0-9 ]+)-----(?P<content>.*?)-----END (?P=kind)-----", re.DOTALL
)

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")


def stored(source: str, content: bytes, password: str | None = None) -> list[Stored]:
    """What a file has: one chain, or one for each Secret in it; none if it has neither.

    source: what to call the file. password: of its key or of the PKCS 12.
    """
    if _BLOCK.search(content) and not _looks_like_a_manifest(content):
        return [_pem(source, content, password)]
    if content[:1] == b"\x30":
        return [_der(source, content, password)]
    return list(_manifests(source, content, password))


def of_secret(secret: dict[str, Any], source: str, password: str | None = None) -> Stored:
    """What a Secret of type kubernetes.io/tls has, or one with the same entries."""
    entries: dict[str, bytes] = {}
    problems = []
    for name, value in mapping(secret.get("data")).items():
        try:
            # The API server takes line ends, too, as `base64` without -w0 writes them.
            text = str(value).translate(_NO_LINE_ENDS)
            entries[name] = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            problems.append(_unreadable(f"its entry {name} is not base64"))
    entries |= {n: str(v).encode() for n, v in mapping(secret.get("stringData")).items()}
    found = _pem(source, b"\n".join(entries.get(n, b"") for n in ("tls.crt", "tls.key")), password)
    if "tls.crt" not in entries or not entries["tls.crt"].strip():
        problems.append(
            Finding(
                "no-certificate",
                "it has no certificate (tls.crt)",
                "Wait until the ACME client has written it, or see why not: kubectl describe "
                "certificate",
            )
        )
    if not entries.get("tls.key", b"").strip():
        problems.append(
            Finding("no-key", "it has no private key (tls.key)", "Let the certificate be renewed.")
        )
    elif not found.key and not {one.code for one in found.problems} & _OF_KEY:
        problems.append(_unreadable_key("tls.key is not PEM"))
    return found._replace(problems=(*problems, *found.problems))


_NO_LINE_ENDS = str.maketrans("", "", "\r\n")

_OF_KEY = {"encrypted-key", "unreadable-key"}


def is_tls_secret(document: object) -> bool:
    """Whether a Kubernetes object is a Secret for a server."""
    if not isinstance(document, dict) or document.get("kind") != "Secret":
        return False
    entries = {**mapping(document.get("data")), **mapping(document.get("stringData"))}
    return document.get("type") == "kubernetes.io/tls" or "tls.crt" in entries


def documents(content: bytes) -> Iterator[dict[str, Any]]:
    """The Kubernetes objects in YAML or JSON, those of lists one by one. Raises ValueError."""
    import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this

    try:
        found = list(yaml.load_all(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    for document in found:
        if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
            items = document.get("items")
            listed = items if isinstance(items, list) else []
            yield from (one for one in listed if isinstance(one, dict))
        elif isinstance(document, dict):
            yield document


def mapping(value: object) -> dict[str, Any]:
    """The value if it is an object; else none: what a manifest has can be anything."""
    return value if isinstance(value, dict) else {}


def _looks_like_a_manifest(content: bytes) -> bool:
    return re.search(rb"^\s*[\"']?kind[\"']?\s*:", content, re.MULTILINE) is not None


def _manifests(source: str, content: bytes, password: str | None) -> Iterator[Stored]:
    try:
        objects = list(documents(content))
    except ValueError as error:
        yield _nothing(source, f"it is neither PEM, DER, PKCS 12 nor YAML: {error}")
        return
    secrets = list(filter(is_tls_secret, objects))
    for secret in secrets:
        names = mapping(secret.get("metadata"))
        name = "/".join(str(names[part]) for part in ("namespace", "name") if names.get(part))
        yield of_secret(secret, f"secret {name or '(no name)'}", password)
    if not secrets:
        yield _nothing(source, "it has neither a certificate nor a Secret with one")


def _nothing(source: str, why: str) -> Stored:
    return Stored(source, (), "", (_unreadable(why),))


def _unreadable(why: str) -> Finding:
    return Finding(
        "unreadable",
        why,
        "Give PEM (fullchain.pem), DER, PKCS 12, or the Secret as YAML or JSON.",
    )


def _pem(source: str, content: bytes, password: str | None) -> Stored:
    chain: list[Certificate] = []
    problems: list[Finding] = []
    key = ""
    for block in _BLOCK.finditer(content):
        kind = block["kind"]
        if kind in {b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"}:
            try:
                der = base64.b64decode(b"".join(block["content"].split()), validate=True)
                chain.append(parse(next(asn1.elements(der)).whole))
            except (binascii.Error, ValueError, StopIteration) as error:
                what = f"its certificate number {len(chain) + 1} cannot be read: {error}"
                problems.append(_unreadable(what))
        elif kind.endswith(b"PRIVATE KEY"):
            key, problem = _key(block[0], password)
            problems += problem
    for kind in _BEGIN.findall(_BLOCK.sub(b"", content)):
        why = "it is cut off before its last line (END)"
        if kind.endswith(b"PRIVATE KEY"):
            problems.append(_unreadable_key(why))
        elif kind.endswith(b"CERTIFICATE"):
            problems.append(_unreadable(f"one of its certificates cannot be read: {why}"))
    return Stored(source, tuple(chain), key, tuple(problems))


_ENCRYPTED_KEY = Finding(
    "encrypted-key",
    "its private key is encrypted, and the password is missing or wrong",
    "Use --password-file FILE. Whether the server has the password is another matter.",
)


def _key(content: bytes, password: str | None) -> tuple[str, list[Finding]]:
    try:
        return public_key_of(content, password), []
    except NeedsPassword:
        return "", [_ENCRYPTED_KEY]
    except KeyUnreadable as error:
        return "", [_unreadable_key(str(error))]


def _unreadable_key(why: str) -> Finding:
    return Finding(
        "unreadable-key",
        f"its private key cannot be read: {why}",
        "Copy the key again as the ACME client has written it, or let the certificate be renewed.",
    )


def _der(source: str, content: bytes, password: str | None) -> Stored:
    try:
        return Stored(source, (parse(content),), "", ())
    except ValueError:
        pass
    from agtool.le_staging.stored.key import read_pkcs12

    try:
        chain, key = read_pkcs12(content, password)
        return Stored(source, tuple(map(parse, chain)), key, ())
    except NeedsPassword:
        return Stored(
            source,
            (),
            "",
            (
                Finding(
                    "encrypted",
                    "it is a PKCS 12 file, and the password is missing or wrong",
                    "Use --password-file FILE.",
                ),
            ),
        )
    except (KeyUnreadable, ValueError):
        pass
    try:
        return Stored(source, (), public_key_of(content, password), ())
    except NeedsPassword:
        return Stored(source, (), "", (_ENCRYPTED_KEY,))
    except KeyUnreadable:
        return _nothing(source, "it is neither a certificate nor a key nor PKCS 12")
