"""A stand-in for Pod Security admission, which Kubernetes 1.20 does not have.

It is a validating webhook: real admission, asked by the real API server, that answers in Pod
Security's own words. It looks only at what agtool's pods differ in. A server that has the real
thing gets the real thing (`enforce` in test_policy.py).
"""

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster import pki
from tests.cluster.api import Object
from tests.cluster.server import Server

HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def violations(level: str, pod: Object) -> Iterator[str]:
    """What a pod does that a level forbids, in Pod Security's words."""
    spec = pod["spec"]
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)"
    if any("hostPath" in volume for volume in spec.get("volumes", ())):
        yield 'hostPath volumes (volume "host")'
    for container in spec["containers"]:
        security = container.get("securityContext", {})
        name = container["name"]
        if security.get("privileged"):
            yield f'privileged (container "{name}" must not set securityContext.privileged=true)'
        if level == "restricted":
            if security.get("allowPrivilegeEscalation") is not False:
                yield f'allowPrivilegeEscalation != false (container "{name}" must set it to false)'
            if security.get("capabilities", {}).get("drop") != ["ALL"]:
                yield f'unrestricted capabilities (container "{name}" must drop ALL)'
            if security.get("runAsNonRoot") is not True:
                yield "runAsNonRoot != true"


class StandIn:
    """The webhook for one namespace, from `with` to its end."""

    def __init__(self, server: Server, namespace: str, level: str, folder: Path) -> None:
        self._server = server
        self._namespace = namespace
        self._level = level
        self._folder = folder
        self._name = f"{namespace}-pod-security"

    def __enter__(self) -> "StandIn":
        address = _our_address(urlsplit(self._server.url).hostname or "")
        authority = pki.Authority(self._folder)
        authority.server("webhook", [address]).write(self._folder, "webhook")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / "webhook.crt", self._folder / "webhook.key")
        self._http = HTTPServer((address, 0), _handler(self._level))
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        with self._server.connect() as api:
            namespace = f"/api/v1/namespaces/{self._namespace}"
            api.patch(namespace, {"metadata": {"labels": {"pod-security-stand-in": self._name}}})
            api.post(HOOKS, self._configuration(address, authority.certificate.read_bytes()))
        return self

    def __exit__(self, *_: object) -> None:
        with self._server.connect() as api:
            api.delete(f"{HOOKS}/{self._name}")
        self._http.shutdown()
        self._http.server_close()

    def _configuration(self, address: str, authority: bytes) -> Object:
        from base64 import b64encode

        port = self._http.server_address[1]
        return {
            "metadata": {"name": self._name},
            "webhooks": [
                {
                    "name": "pod-security.stand-in.test",
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "clientConfig": {
                        "url": f"https://{address}:{port}/",
                        "caBundle": b64encode(authority).decode(),
                    },
                    "namespaceSelector": {"matchLabels": {"pod-security-stand-in": self._name}},
                    "rules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE"],
                            "resources": ["pods"],
                        }
                    ],
                }
            ],
        }


def _our_address(peer: str) -> str:
    """The address under which `peer` sees us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))
        return str(probe.getsockname()[0])


def _handler(level: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            length = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(length))["request"]
            found = list(violations(level, request["object"]))
            response: Object = {"uid": request["uid"], "allowed": not found}
            if found:
                message = f'violates PodSecurity "{level}:latest": {", ".join(found)}'
                response["status"] = {"code": 403, "message": message}
            self._answer({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}, response)

        def _answer(self, review: Mapping[str, object], response: Object) -> None:
            body = json.dumps({**review, "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
            """Nothing."""

    return Handler
