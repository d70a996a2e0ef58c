"""When a request to an API server is worth sending again. Pure."""

from __future__ import annotations

import random
import ssl
from collections.abc import Mapping
from contextlib import suppress


def backoff(attempt: int) -> float:
    """Seconds before the next attempt after `attempt` earlier ones; a little at random."""
    return float(min(5.0, 0.1 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311  # no secret


def pause_before_retry(
    method: str, status: int, headers: Mapping[str, str], attempt: int
) -> float | None:
    """Seconds after which to repeat a request that was answered so; None: the answer stands.

    As client-go: with Retry-After every request, since the server says that nothing was done.
    """
    if status != 429 and status < 500:
        return None
    with suppress(ValueError):
        return max(0.1, float(headers.get("Retry-After", "")))
    if status == 429 or (method != "POST" and status in (502, 503, 504)):
        return backoff(attempt)
    return backoff(attempt) if method == "GET" and status == 500 and attempt < 3 else None


def repeatable(method: str, error: Exception) -> bool:
    """Whether a request that got no answer may be sent again: a POST only if it never left."""
    from urllib3 import exceptions

    if isinstance(error, exceptions.SSLError):
        return not isinstance(error.args[0] if error.args else None, ssl.SSLCertVerificationError)
    return method != "POST" or isinstance(
        error, (exceptions.NewConnectionError, exceptions.ConnectTimeoutError)
    )


def refuses_certificate(error: BaseException) -> bool:
    """Whether our certificate is not accepted, by a server or gateway that looks at it in TLS."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLError) and "ALERT" in (inner.reason or ""):
            return "CERTIFICATE" in (inner.reason or "") or "ACCESS_DENIED" in (inner.reason or "")
        among = (value for value in inner.args if isinstance(value, BaseException))
        inner = inner.__cause__ or next(among, None)
    return False
