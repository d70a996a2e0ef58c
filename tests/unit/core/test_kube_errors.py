"""What an API server's refusals mean."""

import json

import pytest
from urllib3.exceptions import NewConnectionError

from agtool.core.kube.errors import NotFoundError, refusal, unreachable

OPTIONS = "--context 'my cluster'"


@pytest.mark.parametrize(
    ("request_", "message", "hint"),
    [
        (
            "GET /api/v1/namespaces/shop/pods/nosuch",
            'pods "nosuch" not found',
            "To see which there are: kubectl --context 'my cluster' get pods -n shop",
        ),
        (
            "GET /apis/apps/v1/namespaces/shop/deployments/nosuch",
            'deployments.apps "nosuch" not found',
            "To see which there are: kubectl --context 'my cluster' get deployments -n shop",
        ),
        (
            "GET /api/v1/nodes/nosuch",
            'nodes "nosuch" not found',
            "To see which there are: kubectl --context 'my cluster' get nodes",
        ),
        (
            "POST /api/v1/namespaces/nosuch/pods",
            'namespaces "nosuch" not found',
            "To see which there are: kubectl --context 'my cluster' get namespaces",
        ),
    ],
)
def test_how_to_find_what_is_there(request_: str, message: str, hint: str) -> None:
    body = json.dumps({"kind": "Status", "message": message}).encode()
    error = refusal(404, body, request=request_, server="https://api", context="", options=OPTIONS)
    assert isinstance(error, NotFoundError)
    assert (error.message, error.hint) == (message, hint)


def test_a_namespace_that_begins_as_another() -> None:
    body = json.dumps({"kind": "Status", "message": 'pods "x" not found'}).encode()
    asked = "GET /api/v1/namespaces/shop/pods/x"
    for current, told in (("shop", "-n shop get pods"), ("shop2", "-n shop2 get pods -n shop")):
        error = refusal(404, body, request=asked, server="s", context="", options=f"-n {current}")
        assert error.hint == f"To see which there are: kubectl {told}"


def test_an_error_that_was_dealt_with_before_is_no_reason() -> None:
    """As where a terminal was looked for, none was there, and later the server was not there."""
    refused = ConnectionRefusedError(111, "Connection refused")
    refused.__context__ = OSError(25, "Inappropriate ioctl for device")
    error = NewConnectionError(None, "no connection")  # type: ignore[arg-type]
    error.__cause__ = refused
    told = unreachable(error, "https://api", "mine").message
    assert told == "cannot reach https://api: Connection refused"
