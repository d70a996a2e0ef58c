"""Files of ours that an option names: certificates, keys, passwords. Looked at before connecting.

A Secret is mounted as root's, readable for a group or for all; libpq wants a key for its owner
alone. A copy in memory has that mode, also where nothing can be written.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

from agtool.core.errors import ConfigurationError


def check(option: str, path: str, *, folder: bool = False) -> None:
    """That the file, or the folder, is there and can be read.

    Raises:
        ConfigurationError: it is not.
    """
    hint = "Check that the Secret is mounted there"
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116  # a path for libpq
        if is_folder != folder:
            raise ConfigurationError(
                f"{option}={path} is {'a file' if folder else 'a folder'}",
                hint="Name a folder of certificates."
                if folder
                else "Name a file: in a mounted Secret it is called as one of its keys.",
            )
        with os.scandir(path) if folder else open(path, "rb"):  # noqa: PTH123
            return
    except PermissionError as error:
        raise ConfigurationError(
            f"cannot read {option}={path}: {error.strerror}",
            hint="Let this user read it: in a pod, set fsGroup in its securityContext, or the "
            "Secret's defaultMode to 0444.",
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(
            f"cannot read {option}={path}: {reason}", hint=f"{hint}, or correct {option}."
        ) from error


def for_owner_alone(path: str, until: ExitStack) -> str:
    """The file's path, or that of a copy in memory, if others than its owner may read it."""
    try:
        if not os.stat(path).st_mode & 0o077:  # noqa: PTH116
            return path
        return in_memory(Path(path).read_bytes(), until)
    except OSError:  # whoever opens it says why
        return path


def in_memory(content: bytes, until: ExitStack) -> str:
    """The path of a file with this content that this process alone can open.

    Raises:
        OSError: the system has none.
    """
    if not hasattr(os, "memfd_create"):
        raise OSError("there are no files in memory on this system")
    # The kernel keeps a memfd out of every file system, and closes it in children.
    descriptor = os.memfd_create("agtool")
    until.callback(os.close, descriptor)
    os.fchmod(descriptor, 0o600)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return f"/proc/self/fd/{descriptor}"


def is_pkcs12(path: str) -> bool:
    """Whether the name is that of a PKCS#12 file, as pgjdbc tells it."""
    return path.lower().endswith((".p12", ".pfx"))


def identity(option: str, path: str, password: str | None, until: ExitStack) -> str:
    """The path of a copy in memory of a PKCS#12 file, as PEM: the key and its certificates.

    Raises:
        ConfigurationError: it cannot be read.
    """
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        pkcs12,
    )

    check(option, path)
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(
            Path(path).read_bytes(), password.encode() if password else None
        )
    except ValueError as error:
        raise ConfigurationError(
            f"cannot read {option}={path}: {error}",
            hint="It must be a PKCS#12 file, and sslpassword its password.",
        ) from error
    if key is None or certificate is None:
        raise ConfigurationError(
            f"{option}={path} does not hold both a key and its certificate",
            hint="Make it anew, with openssl pkcs12 -export.",
        )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for one in (certificate, *others):
        pem += one.public_bytes(Encoding.PEM)
    return in_memory(pem, until)
