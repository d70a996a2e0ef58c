"""A mutating webhook, as a service mesh brings one: it changes each new pod of a namespace."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster import pki
from tests.cluster.api import Api, Object
from tests.cluster.server import Server

HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


class Webhook:
    """Applies a JSON patch to each new pod of a namespace, from `with` to its end.

    Args:
        resource: what is patched instead of pods, as group and resource.
        operation: when, instead of at its creation.
        meanwhile: called before each answer; the API server waits ten seconds for it.
    """

    def __init__(
        self,
        server: Server,
        api: Api,
        namespace: str,
        patch: list[Object],
        folder: Path,
        *,
        resource: tuple[str, str] = ("", "pods"),
        operation: str = "CREATE",
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self._operation = operation
        self._meanwhile = meanwhile
        self._resource = resource
        self._server = server
        self._api = api
        self._namespace = namespace
        self._patch = patch
        self._folder = folder
        self._name = f"{namespace}-sidecar"

    def __enter__(self) -> "Webhook":
        address = _our_address(urlsplit(self._server.url).hostname or "")
        authority = pki.Authority(self._folder)
        authority.server("webhook", [address]).write(self._folder, "webhook")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / "webhook.crt", self._folder / "webhook.key")
        self._http = HTTPServer((address, 0), _handler(self._patch, self._meanwhile))
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        url = f"https://{address}:{self._http.server_address[1]}/"
        self._api.post(HOOKS, self._configuration(url, authority.certificate.read_bytes()))
        return self

    def __exit__(self, *_: object) -> None:
        self._api.delete(f"{HOOKS}/{self._name}")
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _configuration(self, url: str, authority: bytes) -> Object:
        group, resource = self._resource
        new = {"apiGroups": [group], "apiVersions": ["v1"], "resources": [resource]}
        hook = {
            "name": "sidecar.tests.agtool.example",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"url": url, "caBundle": base64.b64encode(authority).decode()},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self._namespace}},
            "rules": [{**new, "operations": [self._operation]}],
        }
        return {"metadata": {"name": self._name}, "webhooks": [hook]}


def _our_address(peer: str) -> str:
    """The address under which `peer` sees us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))
        return str(probe.getsockname()[0])


def _handler(patch: list[Object], meanwhile: Callable[[], object]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            length = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(length))["request"]
            meanwhile()
            response = {
                "uid": request["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
            }
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            body = json.dumps({**review, "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
            """Nothing."""

    return Handler
