"""How the API server is asked for a command or a port: by a WebSocket, else by SPDY, as kubectl.

SPDY is for gateways that let no WebSocket through, and for servers before Kubernetes 1.30, whose
WebSockets cannot say that the input is at its end.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube.channels import (
    DATA,
    ERROR,
    PROTOCOL,
    RESIZE,
    STATUS,
    STDERR,
    STDIN,
    STDOUT,
)
from agtool.core.kube.outage import AGAIN
from agtool.core.kube.spdy import open_spdy
from agtool.core.kube.upgraded import ProtocolError, RefusedError, Upgraded
from agtool.core.kube.websocket import open_websocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from agtool.core.kube.pool import WebSocketSettings
    from agtool.core.kube.session import Session

    Open = Callable[[WebSocketSettings], Upgraded]

_BY_SPDY = "v4.channel.k8s.io"
"""There each stream has an end of its own, so that nothing is missing."""

_PORTS = "v4.channel.k8s.io"
"""The only one for ports whose messages have channels."""

_PORTS_BY_SPDY = "portforward.k8s.io"


def dial(session: Session, path: str, *, timeout: float) -> Upgraded:
    """Ask for a command, as the session's user, whose credentials are renewed if they are refused.

    Args:
        path: of the pod's exec, with its query.
        timeout: seconds for connecting and for each answer of the server.

    Raises:
        RefusedError: the server's answer is another one. A kubelet may not know a new container.
        ProtocolError: it does not speak our protocols.
        UnreachableError: no connection, or no answer.
        ConfigurationError: a log-in plugin failed.
    """
    query = parse_qs(urlsplit(path).query)
    streams = {STATUS: {"streamtype": "error"}}
    for channel, name in ((STDIN, "stdin"), (STDOUT, "stdout"), (STDERR, "stderr")):
        if query.get(name) == ["true"]:
            streams[channel] = {"streamtype": name}
    if query.get("tty") == ["true"]:
        streams[RESIZE] = {"streamtype": "resize"}
    return _by_either(
        session,
        partial(open_websocket, path=path, subprotocol=PROTOCOL, timeout=timeout),
        partial(open_spdy, path=path, protocol=_BY_SPDY, streams=streams, timeout=timeout),
    )


def dial_port(session: Session, pod: str, port: int, *, timeout: float) -> Upgraded:
    """Ask for a connection to a port of a pod; the rest is as with `dial`.

    On a WebSocket the first message of each channel holds the port only.
    Source: k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go, httpstream.go.

    Args:
        pod: its path in the API.
    """
    path = f"{pod}/portforward"
    which = {"port": str(port), "requestid": "0"}
    streams = {ERROR: {"streamtype": "error", **which}, DATA: {"streamtype": "data", **which}}
    return _by_either(
        session,
        partial(open_websocket, path=f"{path}?ports={port}", subprotocol=_PORTS, timeout=timeout),
        partial(open_spdy, path=path, protocol=_PORTS_BY_SPDY, streams=streams, timeout=timeout),
    )


def is_about_the_upgrade(error: RefusedError) -> bool:
    """Whether what was refused may be the new protocol, not the command.

    An API server answers with a Status object. Where the header Upgrade was lost on the way, it
    says so; any other text comes from something before it.
    """
    if lacks_the_header(error):
        return True
    if error.answer.lstrip().startswith("{") or error.status in {401, 414, 431}:
        return False
    page = "<html" in error.answer.lower()
    return page or error.status < 400 or error.status in {400, 403, 405, 426, 501}


def lacks_the_header(error: RefusedError) -> bool:
    """Whether the header Upgrade was lost on the way, by what the API server or a kubelet says."""
    said = ("Upgrade request required", "missing upgrade headers", "X-Stream-Protocol-Version does")
    return any(words in error.answer for words in said)


def _by_either(session: Session, websocket: Open, spdy: Open) -> Upgraded:
    try:
        return _renewed(session, websocket)
    except (ProtocolError, RefusedError) as error:
        if isinstance(error, RefusedError) and not is_about_the_upgrade(error):
            raise
        first = error
    try:
        return _renewed(session, spdy)
    except AgtoolError as error:
        if isinstance(error, RefusedError) and not is_about_the_upgrade(error):
            raise
        raise first from error


def _renewed(session: Session, connect: Open) -> Upgraded:
    """Connect, with new credentials if they are refused."""
    renewed = False
    while True:
        settings = session.websocket_settings()
        try:
            return connect(settings)
        except UnreachableError:
            session.outage.happens()
            raise
        except RefusedError as error:
            if error.status == 403 and session.outage.was_recent():
                time.sleep(AGAIN)
                continue
            if renewed or error.status != 401 or not session.renew(settings):
                raise
            renewed = True
