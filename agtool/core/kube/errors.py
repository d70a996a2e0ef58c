"""What an API server's refusal, or its silence, means to the person at the terminal."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError, UnreachableError
from agtool.core.text import read_json


class NotFoundError(ConfigurationError):
    """An object, or a kind of object, that was named is not there."""

    code = "not-found"


class ForbiddenError(DeniedError):
    """We may not do that."""


class CredentialsError(ForbiddenError):
    """The API server does not know us, or not any more (401)."""


class ConflictError(DeniedError):
    """The object was changed since it was read, or exists already."""

    code = "conflict"


class RejectedError(DeniedError):
    """The API server finds what it was sent invalid."""

    code = "rejected"


class GoneError(UnreachableError):
    """The API server no longer has the state from which a list or watch was to go on (410).

    Attributes:
        continue_token: with it a list goes on in the state of now; empty: from its start.
    """

    code = "gone"
    continue_token = ""


class OverloadedError(UnreachableError):
    """The API server has too much to do, and has done nothing of what it was asked for (429)."""


_KINDS = {400: RejectedError, 404: NotFoundError, 409: ConflictError, 422: RejectedError}

PROXY_HINT = (
    "Check proxy-url in the kubeconfig, and the environment variables HTTPS_PROXY and NO_PROXY. "
    "The URL of a proxy that wants a log-in is like http://USER:PASSWORD@HOST:PORT."
)

_FORBIDDEN = re.compile(
    r'User "(?P<user>.*?)" cannot (?P<verb>\S+) resource "(?P<resource>.*?)" '
    r'in API group "(?P<group>.*?)" (?:in the namespace "(?P<namespace>.*?)"|at the cluster scope)'
)
"""The words of Kubernetes' authorizer (apiserver, responsewriters/errors.go)."""


def refusal(
    status: int, body: bytes, *, request: str, server: str, context: str, options: str = ""
) -> AgtoolError:
    """The error for an answer of 400 or more.

    Args:
        body: the answer's, a Status object if it comes from an API server.
        request: what was asked for, such as `GET /api/v1/nodes`.
        server: its URL.
        context: the kubeconfig's context, for hints; empty: not known.
        options: with which kubectl gets there as the same user, for hints.
    """
    answer = _status(body)
    message = str(answer.get("message", ""))
    reason = message or f"{request} was answered with {status}"
    if status == 401:
        whose = f" of context {context!r}" if context else ""
        return CredentialsError(
            f"{server} does not accept our credentials (401)",
            hint=f"Log in again, or check the user{whose} in the kubeconfig.",
        )
    if status == 403:
        return _forbidden(reason)
    if status == 404 and (not message or "could not find" in message):
        return NotFoundError(f"the API server does not know {request.partition(' ')[2]}")
    if status == 410:
        gone = GoneError(reason, hint="Run the command again.")
        gone.continue_token = str((answer.get("metadata") or {}).get("continue", ""))
        return gone
    if status == 429 or status >= 500:
        kind = OverloadedError if status == 429 else UnreachableError
        return kind(
            f"{server} answers {status} to {request}" + (f": {message}" if message else ""),
            hint="The API server is overloaded, starting or broken. Run the command again later.",
        )
    return _KINDS.get(status, RejectedError)(reason, hint=_listing(reason, request, options))


def _listing(reason: str, request: str, options: str) -> str:
    """How to see which objects there are instead of one that is not there; empty: of others."""
    named = re.search(
        r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<resource>[a-z]+)/(?P<name>[^/?]+)$", request
    )
    given = shlex.split(options)
    if missing := re.fullmatch(r'namespaces "(.*)" not found', reason):
        if given[-2:] == ["-n", missing[1]]:
            del given[-2:]
        return f"To see which there are: {shlex.join(['kubectl', *given, 'get', 'namespaces'])}"
    if not named or not re.match(rf"{named['resource']}\S* \"{re.escape(named['name'])}\"", reason):
        return ""
    place = ["-n", named["namespace"]]
    words = ["kubectl", *given, "get", named["resource"]]
    words += place if named["namespace"] and given[-2:] != place else []
    return f"To see which there are: {shlex.join(words)}"


def _status(body: bytes) -> dict[str, Any]:
    """The Status object in an answer; of anything else nothing (a proxy's HTML helps nobody)."""
    try:
        status: Any = read_json(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _forbidden(message: str) -> ForbiddenError:
    found = _FORBIDDEN.search(message)
    if not found:
        return ForbiddenError(message)
    namespace = found["namespace"]
    rule = json.dumps(
        {"apiGroups": [found["group"]], "resources": [found["resource"]], "verbs": [found["verb"]]}
    )
    scope = f"in namespace {namespace}" if namespace else "at the cluster scope"
    role = f"a Role in {namespace}" if namespace else "a ClusterRole"
    return ForbiddenError(
        f"{found['user']} may not {found['verb']} {found['resource']} {scope}",
        hint=f"Ask for {role} with the rule {rule}",
    )


def unreachable(error: Exception, server: str, context: str) -> UnreachableError:
    """The error for a request that was not answered; `error` is one of urllib3's."""
    from urllib3 import exceptions

    if isinstance(error, exceptions.ReadTimeoutError):
        return UnreachableError(
            f"{server} took the request and did not answer in time",
            hint="The API server may be overloaded. Run the command again later.",
        )
    way, why = server, _reason(error)
    hint = f"Check that the API server runs, and that {context!r} is the right context."
    network = f"Check the network or the VPN, and that {context!r} is the right context."
    root = _root(error)
    if isinstance(error, exceptions.ProxyError) or type(root).__module__ == "socks":
        way, hint = f"{server} through the proxy", PROXY_HINT
        if verify_message := getattr(root, "verify_message", ""):
            why = f"TLS with the proxy failed: {verify_message}"
    elif isinstance(error, exceptions.NameResolutionError):
        why, hint = "its name does not resolve", network
    elif isinstance(error, exceptions.SSLError):
        cause = error.args[0] if error.args else error
        why = f"TLS failed: {getattr(cause, 'verify_message', cause)}"
        hint = "Check the server's address and certificate-authority in the kubeconfig."
    elif isinstance(error, exceptions.ConnectTimeoutError) and not isinstance(
        error, exceptions.NewConnectionError
    ):
        why, hint = "no answer to the attempt to connect", network
    return UnreachableError(f"cannot reach {way}: {why}", hint=hint)


def _root(error: BaseException) -> BaseException:
    """What stands at the end of a chain of errors.

    The context of the operating system's own may be one that was dealt with long before.
    """
    inner: BaseException | None = error
    while inner:
        error = inner
        among = (value for value in reversed(error.args) if isinstance(value, BaseException))
        context = None if isinstance(error, OSError) else error.__context__
        inner = error.__cause__ or next(among, context)
    return error


def _reason(error: BaseException) -> str:
    """The operating system's words for what went wrong."""
    error = _root(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
