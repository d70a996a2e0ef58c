"""A session with an API server in plain dicts: what tests arrange and check with.

It shares nothing with agtool's own, so that a fault there cannot hide itself.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

BUSY_SECONDS = 60.0
"""How long a server may say that it is busy, and when to ask again: after a CRD was made, say."""


class Refused(Exception):
    """An answer that is no success: its status, and the reason and the message of Kubernetes."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Login:
    """Where a kubeconfig leads, and as whom.

    Attributes: url, ca (a file), context (TLS, with the user's certificate), headers (with the
    user's token).
    """

    def __init__(self, kubeconfig: Path) -> None:
        # Reads what cloud providers put there too, such as commands that give a token.
        from kubernetes import client, config

        settings = client.Configuration()
        load: Any = config.load_kube_config  # untyped
        load(str(kubeconfig), client_configuration=settings)
        self.url: str = settings.host
        self.ca = Path(settings.ssl_ca_cert or ssl.get_default_verify_paths().openssl_cafile)
        self.context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        if not settings.verify_ssl:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        if settings.cert_file:
            self.context.load_cert_chain(settings.cert_file, settings.key_file)
        # The name under which a token stands here has changed between versions.
        tokens: Any = settings.auth_settings()
        self.headers = {each["key"]: each["value"] for each in tokens.values()}


class Api:
    """A session as the user of a kubeconfig, from `with` to its end. Threads may share it."""

    def __init__(self, kubeconfig: Path) -> None:
        self.login = Login(kubeconfig)
        self._client = httpx.Client(
            base_url=self.login.url,
            verify=self.login.context,
            headers=self.login.headers,
            timeout=60,
            trust_env=False,
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """What the server answers. Raises Refused, and httpx.TransportError."""
        headers = {} if body is None else {"Content-Type": content_type}
        give_up = time.monotonic() + BUSY_SECONDS
        while True:
            answer = self._client.request(method, path, params=query, json=body, headers=headers)
            pause = answer.headers.get("Retry-After", "")
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS or not pause.isdecimal():
                break
            if time.monotonic() + int(pause) > give_up:
                break
            time.sleep(int(pause))
        if not answer.is_success:
            said: Object = {}
            if answer.headers.get("Content-Type") == "application/json":
                said = answer.json()
            raise Refused(
                answer.status_code, said.get("reason", ""), said.get("message", answer.text)
            )
        result: Object = answer.json()
        return result

    def get(self, path: str, **query: str | int) -> Object:
        """An object or a list. The words of the query are those of the API (labelSelector)."""
        return self.request("GET", path, query=query)

    def post(self, path: str, body: object, **query: str | int) -> Object:
        """Create an object in a collection."""
        return self.request("POST", path, body, query=query)

    def put(self, path: str, body: object) -> Object:
        """Replace an object."""
        return self.request("PUT", path, body)

    def patch(self, path: str, body: object, content_type: str = MERGE) -> Object:
        """Change an object."""
        return self.request("PATCH", path, body, content_type=content_type)

    def delete(self, path: str, body: object = None, **query: str | int) -> Object:
        """Delete an object or, by a selector, the objects of a collection."""
        return self.request("DELETE", path, body, query=query)

    def text(self, path: str, **query: str | int) -> str:
        """What is not JSON, such as a log. Raises Refused."""
        answer = self._client.get(path, params=query)
        if not answer.is_success:
            raise Refused(answer.status_code, "", answer.text)
        return answer.text

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        try:
            self.get(path)
        except Refused as error:
            if error.status == httpx.codes.NOT_FOUND:
                return False
            raise
        return True


def define(api: Api, definition: Object) -> None:
    """Define a kind by a CustomResourceDefinition; return when it is established.

    One of this name that is there already stays. Raises TimeoutError.
    """
    kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    path = f"{kinds}/{definition['metadata']['name']}"
    if not api.exists(path):
        api.post(kinds, definition)
    established = {"type": "Established", "status": "True"}.items()
    give_up = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < give_up:
        conditions = api.get(path).get("status", {}).get("conditions")
        if any(established <= each.items() for each in conditions or ()):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{path} is not established after {BUSY_SECONDS:.0f} s")


def accepts_pods(api: Api, namespace: str) -> bool:
    """Whether a pod could be made: a new namespace has first to get an account, and its token."""
    spec = {"containers": [{"name": "main", "image": "none"}]}
    try:
        pods = f"/api/v1/namespaces/{namespace}/pods"
        api.post(pods, {"metadata": {"name": "would-be"}, "spec": spec}, dryRun="All")
    except Refused as error:
        if error.status in (httpx.codes.FORBIDDEN, httpx.codes.INTERNAL_SERVER_ERROR):
            return False
        raise
    return True


def at_once(work: Callable[[Any], object], items: Iterable[Any], threads: int = 16) -> None:
    """Call `work` with each of the items, in parallel. Raises the first error."""
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, items):
            pass
