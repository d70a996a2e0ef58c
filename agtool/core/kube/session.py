"""An API server, as plain dicts over pooled connections.

No CoreV1Api and no models: importing them takes two seconds, and reading a list of 5,000 nodes
into them five. The kubeconfig, tokens and log-in plugins are the official client's (access).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from agtool import __version__
from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube.access import Access, Identity, find_access
from agtool.core.kube.errors import GoneError, refusal, unreachable
from agtool.core.kube.outage import AGAIN, Outage
from agtool.core.kube.pool import WebSocketSettings, make_pool, proxy_before
from agtool.core.kube.retry import backoff, pause_before_retry, refuses_certificate, repeatable
from agtool.core.output import say
from agtool.core.text import read_json

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

Json = dict[str, Any]
T = TypeVar("T")

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""An `accept` with which the server sends the metadata of an object, or of a list's, only."""

_CONNECT_TIMEOUT = 10.0
"""Seconds for one attempt to connect."""

_AGENT = ("User-Agent", f"agtool/{__version__}")


class Session:
    """An API server as one user. Thread-safe; made by `connect`.

    A path is that of the API, such as /api/v1/nodes/NAME; `query` holds its parameters. An
    answer of 429 or 5xx is waited out as the server asks, and so is its restart, for `patience`.

    All methods raise:
        ForbiddenError: 401, or 403 with the rule to ask for.
        NotFoundError: 404.
        ConflictError: 409.
        RejectedError: 400, 422.
        GoneError: 410.
        UnreachableError: no connection, no answer in time, or still 429 or 5xx.
    """

    def __init__(
        self, access: Access, *, connections: int, timeout: float, patience: float
    ) -> None:
        self._access = access
        self._patience = patience
        self._timeout = timeout
        self._connections = connections
        self._pool = make_pool(access, connections)
        self._pool_tls = access.tls
        self._pool_lock = threading.Lock()
        self._closed = threading.Event()
        self.pause: Callable[[float], bool] = self._closed.wait
        """How to wait for so many seconds between two attempts; true: there is to be no other."""
        self._reached = False
        self._silent_until = 0.0
        self.outage = Outage()
        self.context = access.context
        self.options = access.options
        """With which another command, kubectl too, gets there as the same user."""
        self.namespace = access.namespace
        self.server: str = access.configuration.host

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections; requests that wait to be repeated fail at once."""
        self._closed.set()
        self._pool.clear()

    def get(self, path: str, *, accept: str = "", **query: Any) -> Json:
        """An object, or a list of them."""
        return self._request("GET", path, query, accept=accept)

    def text(self, path: str, **query: Any) -> str:
        """What is not JSON: a container's log."""
        data = self._send("GET", path, query, lambda response: response.data)
        return data.decode(errors="replace")

    def post(self, path: str, body: Any, *, accept: str = "", **query: Any) -> Json:
        """Create `body`; the object as created."""
        return self._request("POST", path, query, body=body, accept=accept)

    def put(self, path: str, body: Any, *, accept: str = "", **query: Any) -> Json:
        """Replace an object by `body`; the object as it is then."""
        return self._request("PUT", path, query, body=body, accept=accept)

    def patch(
        self,
        path: str,
        body: Any,
        *,
        content_type: str = MERGE_PATCH,
        accept: str = "",
        **query: Any,
    ) -> Json:
        """Change an object as `body` says; the object as it is then."""
        return self._request(
            "PATCH", path, query, body=body, content_type=content_type, accept=accept
        )

    def delete(self, path: str, body: Any = None, **query: Any) -> Json:
        """Delete an object; what the server answers. `body` holds DeleteOptions."""
        return self._request("DELETE", path, query, body=body)

    def lists(
        self, path: str, *, limit: int = 500, accept: str = "", **query: Any
    ) -> Iterator[Json]:
        """A list page by page, each as the server sends it, with metadata.resourceVersion.

        When the server no longer keeps the state of the first page, the rest is that of now; an
        object may then be missing or be in the state of before, as in any list, but none comes
        twice.
        """
        token = ""
        seen: set[tuple[str, str]] = set()
        while True:
            parameters = {**query, "limit": limit, **({"continue": token} if token else {})}
            try:
                page = self.get(path, accept=accept, **parameters)
            except GoneError as error:
                if not token:
                    raise
                token = error.continue_token
                continue
            items = page.get("items") or []
            page["items"] = [item for item in items if _name(item) not in seen]
            seen.update(map(_name, items))
            yield page
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """The items of `lists`, one page in memory at a time."""
        for page in self.lists(path, **query):
            yield from page["items"]

    def watch(
        self, path: str, *, resource_version: str, timeout: float, **query: Any
    ) -> Iterator[Json]:
        """What changes after `resource_version`, as events; ends by itself after `timeout` seconds.

        The server has answered when this returns. Bookmarks (type BOOKMARK, with a newer
        metadata.resourceVersion only) come too.

        Raises:
            GoneError: the server does not know so old a version; list again.
            UnreachableError: the connection broke; watch again from the last version.
        """
        parameters = {
            **query,
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": max(1, int(timeout)),
        }
        response = self._send(
            "GET", path, parameters, lambda response: response, timeout=timeout + self._timeout
        )
        return self._events(response, path)

    def _events(self, response: BaseHTTPResponse, path: str) -> Iterator[Json]:
        from urllib3.exceptions import HTTPError

        try:
            for line in _lines(response):
                event: Json = read_json(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise self._refusal(
                        int(status.get("code", 500)), json.dumps(status).encode(), f"GET {path}"
                    )
                yield event
        except HTTPError as error:
            self.outage.happens()
            raise unreachable(error, self.server, self.context) from error
        except ValueError as error:
            raise self._no_api(f"GET {path}") from error
        finally:
            response.close()
            response.release_conn()

    def websocket_settings(self) -> WebSocketSettings:
        """What a WebSocket to this server as this user needs, with fresh credentials.

        Raises ConfigurationError if the log-in fails.
        """
        identity = self._access.identity()
        headers = [_AGENT, *identity.headers]
        return WebSocketSettings(
            url=self.server.replace("http", "ws", 1),
            headers=[f"{name}: {value}" for name, value in headers],
            tls=identity.tls,
            server_name=self._access.configuration.tls_server_name,
            proxy=proxy_before(self._access),
            identity=identity,
        )

    def renew(self, refused: WebSocketSettings) -> bool:
        """After a 401 to a WebSocket: whether new settings may be accepted.

        Raises ConfigurationError if a log-in plugin fails.
        """
        return refused.identity is not None and self._access.renew(refused.identity)

    def _pool_of(self, identity: Identity) -> PoolManager:
        """The pool with our certificate. An old one's idle connections are closed."""
        with self._pool_lock:
            if self._pool_tls is not identity.tls:
                self._pool.clear()
                self._pool = make_pool(self._access, self._connections)
                self._pool_tls = identity.tls
            return self._pool

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        *,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> Json:
        more = {"Accept": accept or "application/json"}
        content = None
        if body is not None:
            more["Content-Type"] = content_type
            content = json.dumps(body).encode()
        data = self._send(method, path, query, lambda r: r.data, body=content, headers=more)
        answer = None
        with suppress(ValueError):
            answer = read_json(data)
        if not isinstance(answer, dict):
            raise self._no_api(f"{method} {path}")
        return answer

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        read: Callable[[BaseHTTPResponse], T],
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 0,
    ) -> T:
        """Send until there is an answer below 400, or none to be hoped for."""
        import urllib3

        url = f"{self.server}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        request = f"{method} {path}"
        until = time.monotonic() + self._patience
        attempt = 0
        renewed = False
        while True:
            failure: AgtoolError
            identity = self._access.identity()
            # The library writes headers in Latin-1; names are in UTF-8, as kubectl has them.
            shown = [(key, value.encode().decode("latin-1")) for key, value in identity.headers]
            try:
                response = self._pool_of(identity).urlopen(
                    method,
                    url,
                    body=body,
                    headers=urllib3.HTTPHeaderDict([_AGENT, *shown, *(headers or {}).items()]),
                    timeout=urllib3.Timeout(
                        connect=_CONNECT_TIMEOUT, read=timeout or self._timeout
                    ),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                if response.status < 400:
                    self._reached = True
                    return read(response)
                answer = response.data
            except urllib3.exceptions.HTTPError as error:
                failure = unreachable(error, self.server, self.context)
                delay = backoff(attempt) if self._reached and repeatable(method, error) else None
                self.outage.happens()
                if not renewed and refuses_certificate(error):
                    renewed = True
                    delay = 0 if self._access.renew(identity) else None
                failure.__cause__ = error
            else:
                failure = self._refusal(response.status, answer, request)
                delay = pause_before_retry(method, response.status, response.headers, attempt)
                if response.status == 401 and not renewed:
                    renewed = True
                    delay = 0 if self._access.renew(identity) else None
                elif response.status == 403 and self.outage.was_recent():
                    delay = AGAIN
                self._reached = True
            if delay is None or time.monotonic() + delay > until:
                raise failure
            self._tell(failure, delay)
            if self.pause(delay):
                raise failure
            attempt += 1

    def _tell(self, failure: AgtoolError, delay: float) -> None:
        """Say why nothing seems to happen; once for all threads, and not all the time."""
        now = time.monotonic()
        if delay >= 1 and now > self._silent_until:
            self._silent_until = now + 10
            say(f"{failure.message}: trying again in {delay:.0f} s")

    def _refusal(self, status: int, body: bytes, request: str) -> AgtoolError:
        return refusal(
            status,
            body,
            request=request,
            server=self.server,
            context=self.context,
            options=self.options,
        )

    def _no_api(self, request: str) -> UnreachableError:
        return UnreachableError(
            f"{self.server} does not answer {request} as a Kubernetes API server does",
            hint="Check that this is the API server, and not a log-in page or a proxy before it.",
        )


def connect(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    namespace: str | None = None,
    as_user: str | None = None,
    as_groups: Sequence[str] = (),
    connections: int = 1,
    timeout: float = 30.0,
    patience: float = 30.0,
) -> Session:
    """A session with what kubectl would use; nothing is sent yet.

    Args:
        connections: how many requests will be in flight at once.
        timeout: seconds without a byte of an answer after which a request has failed.
        patience: seconds for which a request is repeated while the server is overloaded or
            restarts.

    Raises:
        ConfigurationError: no kubeconfig, an invalid one, no such context, a failed log-in.
    """
    access = find_access(kubeconfig, context, namespace, as_user, as_groups)
    return Session(access, connections=connections, timeout=timeout, patience=patience)


def _name(item: Json) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _lines(response: BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of an answer, each as soon as it is complete."""
    rest = b""
    for chunk in response.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)
