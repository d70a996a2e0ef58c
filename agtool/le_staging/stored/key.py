"""Private keys and PKCS 12, read by the library `cryptography`; nothing of a key is kept."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class NeedsPassword(Exception):
    """It is encrypted, and the password is missing or wrong."""


class KeyUnreadable(Exception):
    """It is no private key that can be read; the message says why."""


def public_key_of(content: bytes, password: str | None) -> str:
    """The SHA-256 of the public key that belongs to a private key (PEM or DER).

    Raises NeedsPassword or KeyUnreadable.
    """
    from cryptography.hazmat.primitives import serialization

    pem = content.lstrip().startswith(b"-----")
    load: Any = serialization.load_pem_private_key if pem else serialization.load_der_private_key
    encrypted = b"ENCRYPTED" in content
    secret = password.encode() if password is not None and (encrypted or not pem) else None
    try:
        key = _quietly(load, content, secret)
    except TypeError:  # a password is needed; or, in DER, none
        try:
            key = _quietly(load, content, None)
        except (TypeError, ValueError) as error:
            raise NeedsPassword from error
    except ValueError as error:
        if encrypted:
            raise NeedsPassword from error
        raise KeyUnreadable("it is damaged, or of an unknown kind") from error
    except Exception as error:  # the library has an exception for each kind of key it cannot do
        raise KeyUnreadable(str(error) or type(error).__name__) from error
    return _digest(key)


def read_pkcs12(content: bytes, password: str | None) -> tuple[list[bytes], str]:
    """The certificates (DER, that of the key first) and the public key of the key in it.

    Raises NeedsPassword or KeyUnreadable.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    for secret in [password.encode()] if password is not None else [None, b""]:
        try:
            found = _quietly(pkcs12.load_pkcs12, content, secret)
            break
        except ValueError as error:
            wrong = "password" in str(error).lower() or "mac" in str(error).lower()
            if not wrong:
                raise KeyUnreadable(str(error)) from error
    else:
        raise NeedsPassword
    own = [found.cert] if found.cert else []
    chain = [c.certificate.public_bytes(Encoding.DER) for c in (*own, *found.additional_certs)]
    return chain, _digest(found.key) if found.key else ""


def _digest(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


def _quietly(load: Callable[..., Any], content: bytes, password: bytes | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # oddities of other people's files
        return load(content, password)
