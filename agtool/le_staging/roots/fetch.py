"""Fetch the roots over the network; nothing is trusted but a certificate's fingerprint."""

import hashlib
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from agtool.core import authorities
from agtool.core.errors import (
    AgtoolError,
    ConfigurationError,
    DeniedError,
    UnreachableError,
    UsageError,
)
from agtool.core.finding import Finding
from agtool.core.output import say
from agtool.core.text import count, printable
from agtool.le_staging.roots import store
from agtool.le_staging.roots.given import PEM
from agtool.le_staging.roots.pins import BY_SHA256, CURRENT
from agtool.le_staging.roots.private import refuse_public
from agtool.le_staging.roots.store import Root

if TYPE_CHECKING:
    import httpx

    from agtool.le_staging.documents import RootsFetched
_TIMEOUT = 10.0
"""Seconds for each step of a request: connecting, one read."""

_ALL_IN_ALL = 60.0
"""Seconds for one root: a server that sends a byte now and then would never run into the other."""

_LONGEST = 64 * 1024
"""Bytes that a file with one certificate may have."""


class Wanted(NamedTuple):
    """A root to fetch: from where, and its identity (SHA-256, lower-case hexadecimal)."""

    url: str
    sha256: str


class _NoConnection(UnreachableError):
    """The server was not reached, so that it has no other file to give either."""


class _NotServed(DeniedError):
    """The server was reached, and does not give the file."""


LETS_ENCRYPT = tuple(Wanted(pin.url, pin.sha256) for pin in CURRENT)


def parse_fingerprint(text: str) -> str:
    """A SHA-256 as openssl, browsers or sha256sum write it, in lower-case hexadecimal.

    Raises UsageError for anything else and, by name, DeniedError for a retired root.
    """
    digits = re.sub(r"^sha-?256(\s+fingerprint)?[\s=:]", "", text.strip().lower())
    digits = re.sub(r"[\s:]", "", digits)
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise UsageError(
            f"{text!r} is not a valid SHA-256 fingerprint, which has 64 hexadecimal digits",
            hint="Print it: openssl x509 -in root.pem -noout -fingerprint -sha256",
        )
    refuse_retired(digits)
    return digits


def refuse_retired(sha256: str) -> None:
    """Raises DeniedError for a certificate that Let's Encrypt has retired."""
    pin = BY_SHA256.get(sha256)
    if pin and pin.retired:
        raise DeniedError(
            f"{pin.name} is refused, because {pin.retired}",
            hint="Fetch the current roots: agtool le-staging fetch",
        )


def fetch(wanted: Sequence[Wanted], *, force: bool) -> "RootsFetched":
    """Fetch what is not there yet (force: all of it) and keep what is there already.

    What can be fetched is kept, also if something else cannot. Raises the first error of those
    that are not there now: UnreachableError, DeniedError when what is served is not what was
    wanted, and ConfigurationError.
    """
    from agtool.le_staging.documents import FetchedRoot, RootsFetched

    present, warnings = _present()
    missing = [want for want in wanted if force or want.sha256 not in present]
    new: dict[str, Root] = {}
    failed: list[AgtoolError] = []
    if missing:
        with _client() as client:
            for want in missing:
                try:
                    new[want.sha256] = _get(client, want)
                except (UnreachableError, DeniedError) as error:
                    kept = want.sha256 in present
                    if kept and isinstance(error, (UnreachableError, _NotServed)):
                        message = f"{error.message}; the copy that was fetched before is used"
                        warnings.append(Finding(error.code, message, error.hint, want.url))
                    else:
                        failed.append(error)
                    if isinstance(error, _NoConnection):
                        break  # the others would only take as long to fail
    if new:
        present, _ = _present()  # again: another agtool may have fetched others meanwhile
    roots = {**present, **new}
    if new:
        store.write(roots.values())
    if failed:
        raise _with_what_was_kept(failed[0], len(new))
    if roots:
        store.bundle_of(list(roots.values()))
    done = [
        FetchedRoot(root.name, root.url, root.sha256, root.private, root.sha256 in new)
        for root in roots.values()
    ]
    return RootsFetched(str(store.bundle()), done, warnings)


def _with_what_was_kept(error: AgtoolError, kept: int) -> AgtoolError:
    if not kept:
        return error
    were = f"{count(kept, 'other root')} {'was' if kept == 1 else 'were'} fetched"
    return type(error)(f"{error.message}; {were}", hint=error.hint, subject=error.subject)


def ensure() -> list[Root]:
    """The roots that are there; if none are, Let's Encrypt's are fetched. Raises as `fetch`.

    One of them that cannot be fetched is told, and is missing.
    """
    with suppress(store.NotFetched):
        return store.roots()
    say("fetching the staging roots ...")
    try:
        fetch(LETS_ENCRYPT, force=False)
    except AgtoolError as error:
        with suppress(store.NotFetched):
            found = store.roots()
            say(error.message, level="warning", hint=error.hint)
            return found
        raise
    return store.roots()


def _present() -> tuple[Mapping[str, Root], list[Finding]]:
    """The roots that are there; a file that cannot be used will be replaced, with a warning."""
    try:
        return {root.sha256: root for root in store.roots()}, []
    except store.NotFetched:
        return {}, []
    except ConfigurationError as error:
        hint = "If it had a private CA's root: agtool le-staging fetch --url URL --fingerprint HEX"
        return {}, [Finding(error.code, f"{error.message}; the file was replaced", hint)]


def _client() -> "httpx.Client":
    """It trusts this machine's store, as curl does; Mozilla's list where there is none."""
    import certifi
    import httpx

    try:
        tls = authorities.context()
        # As curl, on every Python: 3.13 would refuse roots without a key usage, as proxies have
        # them.
        tls.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
        if not any(authorities.places()):
            tls.load_verify_locations(certifi.where())
        return httpx.Client(timeout=_TIMEOUT, follow_redirects=True, max_redirects=5, verify=tls)
    # ImportError: a SOCKS proxy, for which httpx wants another package.
    except (ValueError, OSError, ImportError, httpx.InvalidURL) as error:
        raise ConfigurationError(
            f"cannot use the proxy or certificate settings of the environment: {error}",
            hint="Correct HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE or SSL_CERT_DIR.",
        ) from error


def _get(client: "httpx.Client", want: Wanted) -> Root:
    import httpx

    _check_url(want.url)
    try:
        with client.stream("GET", want.url) as response:
            if response.status_code != httpx.codes.OK:
                raise _not_served(
                    want, f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
                )
            content, give_up = b"", time.monotonic() + _ALL_IN_ALL
            for chunk in response.iter_bytes():
                if time.monotonic() > give_up:
                    raise _not_served(want, f"it is not complete after {_ALL_IN_ALL:.0f} seconds")
                content += chunk
                if len(content) > _LONGEST:
                    raise _not_the_one(want, "something much longer than a certificate")
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise _not_served(want, f"it redirects to what is not a valid URL: {error}") from error
    except httpx.TooManyRedirects as error:
        raise _not_served(want, "too many redirects") from error
    except httpx.HTTPError as error:
        # Without the number of an error before it and the place in Python's source after it.
        reason = re.sub(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$", "", str(error))
        connecting = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
        kind = _NoConnection if isinstance(error, connecting) else UnreachableError
        raise kind(
            f"cannot fetch {want.url}: {reason or 'no answer in time'}",
            hint="Set SSL_CERT_FILE to a file with the root of this server, or of the proxy that "
            "answers in its place."
            if "certificate verify failed" in reason
            else "Check the network, and the proxy settings (HTTPS_PROXY, NO_PROXY).",
        ) from error
    return _checked(want, content)


def _check_url(url: str) -> None:
    import httpx

    try:
        parsed = httpx.URL(url)
        reason = "" if parsed.scheme in {"http", "https"} and parsed.host else "it has no https://"
    except httpx.InvalidURL as error:
        reason = str(error)
    if reason:
        raise ConfigurationError(
            f"{url!r} is not a valid URL: {reason}",
            hint="Write a URL such as https://ca.example/root.pem.",
        )


def _checked(want: Wanted, content: bytes) -> Root:
    """The certificate in `content` (PEM or DER) with that fingerprint. Raises DeniedError."""
    from agtool.le_staging.certificate import parse

    try:
        blocks = [ssl.PEM_cert_to_DER_cert(block.decode()) for block in PEM.findall(content)]
    except ValueError as error:
        raise _not_the_one(want, "a damaged certificate") from error
    found = {hashlib.sha256(der).hexdigest(): der for der in blocks or [content]}
    for sha256 in found:
        refuse_retired(sha256)
    if want.sha256 not in found:
        raise _not_the_one(want, "another certificate" if blocks else "no certificate")
    try:
        certificate = parse(found[want.sha256])
    except ValueError as error:
        raise _not_the_one(want, f"not a certificate: {error}") from error
    pin = BY_SHA256.get(want.sha256)
    if pin is None or pin.signed_by:
        refuse_public(certificate)
    now = datetime.now(timezone.utc)
    if not certificate.not_before <= now <= certificate.not_after:
        raise DeniedError(
            f"{certificate.subject} is valid from {certificate.not_before:%Y-%m-%d} to "
            f"{certificate.not_after:%Y-%m-%d}, and today is {now:%Y-%m-%d}",
            hint="Check the clock of this machine. If it is right, ask the CA's owner for its "
            "current root.",
        )
    name = pin.name if pin else printable(certificate.subject)
    return Root(name, want.url, want.sha256, certificate.der, pin is None)


def _not_served(want: Wanted, answer: str) -> _NotServed:
    return _NotServed(
        f"cannot fetch {want.url}: {answer}",
        hint="Check the URL, and whether a proxy answers in its place (HTTPS_PROXY).",
    )


def _not_the_one(want: Wanted, what: str) -> DeniedError:
    return DeniedError(
        f"{want.url} does not serve the certificate with SHA-256 {want.sha256}, but {what}",
        hint="It was not kept. Check whether a proxy answers in its place (HTTPS_PROXY). "
        "If the CA has a new root, ask its owner for the new --fingerprint.",
    )
