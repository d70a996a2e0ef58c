"""The cluster of the sessions: two namespaces, who may do what there, and what befalls all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx

from tests.cluster import pki
from tests.cluster.api import Api, Object, Refused, accepts_pods
from tests.cluster.cluster import Cluster
from tests.e2e.debug.chaos.watcher import Watcher
from tests.e2e.debug.test_rights import RULES

if TYPE_CHECKING:
    from tests.servers.proxy import TcpProxy

T = TypeVar("T")

RBAC = "/apis/rbac.authorization.k8s.io/v1"

_RIGHTS = [rule for name in ("agtool-debug", "agtool-debug-workloads") for rule in RULES[name]]
_WITHOUT_JOBS = [rule for rule in _RIGHTS if rule["resources"] != ["jobs"]]

_PATIENCE = 60.0
"""Seconds for an API server that is started again."""

FORGIVEN = 60
"""Seconds after its expiry for which the API server takes a token."""


def insist(call: Callable[[], T]) -> T:
    """What a call to the API server returns, also while it is started again. Raises Refused."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            return call()
        except (httpx.TransportError, Refused) as error:
            passing = not isinstance(error, Refused) or error.status >= 500
            if not passing or time.monotonic() > give_up:
                raise
        time.sleep(0.2)


@dataclass
class Login:
    """Somebody's kubeconfig, and what it hangs on."""

    kubeconfig: Path
    token: Path
    secret: str


@dataclass
class World:
    """All that sessions share; made by `world`.

    Attributes:
        lasting: what befalls all sessions just now: a fault of the API server, or of the node.
        sessions: what those that run know of what befell them.
        alone: held by a fault of that kind.
    """

    cluster: Cluster
    api: Api
    watcher: Watcher
    folder: Path
    namespaces: dict[bool, str]
    accounts: dict[bool, Object]
    lasting: set[str] = field(default_factory=set)
    sessions: list[set[str]] = field(default_factory=list)
    alone: threading.Lock = field(default_factory=threading.Lock)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def befalls_all(self, fault: str) -> Iterator[None]:
        """Meanwhile every session has been struck by a fault, and so have those that begin."""
        with self.alone:
            with self.guard:
                self.lasting.add(fault)
                for facts in self.sessions:
                    facts.add(fault)
            try:
                yield
            finally:
                with self.guard:
                    self.lasting.discard(fault)

    @contextmanager
    def takes_part(self, facts: set[str]) -> Iterator[None]:
        """Let a session know what befalls all."""
        with self.guard:
            facts |= self.lasting
            self.sessions.append(facts)
        try:
            yield
        finally:
            with self.guard:
                # By identity: two sets of facts may be equal.
                self.sessions[:] = [each for each in self.sessions if each is not facts]

    def log_in(
        self, jobs: bool, name: str, *, proxy: TcpProxy | None, lives: float | None = None
    ) -> Login:
        """A kubeconfig of a user. lives: seconds until its token is not taken any more."""
        namespace = self.namespaces[jobs]
        login = Login(self.folder / f"{name}.kubeconfig", self.folder / f"{name}.token", name)
        login.token.write_text(
            self.new_token(jobs, name) if lives is None else self._short_token(jobs, lives)
        )
        pki.write_kubeconfig(login.kubeconfig, self.cluster.url, self.cluster.ca, "")
        content = json.loads(login.kubeconfig.read_text())
        content["users"][0]["user"] = {"tokenFile": str(login.token)}
        content["contexts"][0]["context"]["namespace"] = namespace
        if proxy is not None:
            server = content["clusters"][0]["cluster"]
            server["server"] = f"https://{proxy.host}:{proxy.port}"
            server["tls-server-name"] = "kubernetes.default.svc"
        login.kubeconfig.write_text(json.dumps(content))
        return login

    def new_token(self, jobs: bool, secret: str) -> str:
        """One that is taken for as long as a new Secret of that name is there."""
        core = f"/api/v1/namespaces/{self.namespaces[jobs]}"
        made = insist(lambda: self.api.post(f"{core}/secrets", {"metadata": {"name": secret}}))
        bound = {"apiVersion": "v1", "kind": "Secret", "name": secret}
        bound["uid"] = made["metadata"]["uid"]
        request = {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}}
        path = f"{core}/serviceaccounts/ci/token"
        return str(insist(lambda: self.api.post(path, request))["status"]["token"])

    def revoke(self, jobs: bool, secret: str) -> None:
        """Let the token be taken no more; the API server may need ten seconds for that."""
        path = f"/api/v1/namespaces/{self.namespaces[jobs]}/secrets/{secret}"
        insist(lambda: self.api.delete(path))

    def _short_token(self, jobs: bool, lives: float) -> str:
        issuer = "https://kubernetes.default.svc"
        expires = int(time.time() - FORGIVEN + lives)
        namespace, uid = self.namespaces[jobs], self.accounts[jobs]["metadata"]["uid"]
        claims = {
            "iss": issuer,
            "aud": [issuer],
            "sub": f"system:serviceaccount:{namespace}:ci",
            "iat": expires - 3600,
            "exp": expires,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": "ci", "uid": uid},
            },
        }
        return pki.sign_token(self.cluster.service_account_key, claims)


@contextmanager
def world(cluster: Cluster, folder: Path) -> Iterator[World]:
    """Make the namespaces, and remove them at the end."""
    names = {jobs: f"chaos-{'jobs' if jobs else 'none'}" for jobs in (True, False)}
    with cluster.connect() as api:
        accounts = {
            jobs: _namespace(api, name, _RIGHTS if jobs else _WITHOUT_JOBS)
            for jobs, name in names.items()
        }
        try:
            with Watcher(api, list(names.values())) as watcher:
                yield World(cluster, api, watcher, folder, names, accounts)
        finally:
            for name in names.values():
                insist(lambda name=name: api.delete(f"/api/v1/namespaces/{name}"))  # type: ignore[misc]


def _namespace(api: Api, name: str, rules: list[Object]) -> Object:
    """A namespace in which the account `ci` has these rights."""
    path = f"/api/v1/namespaces/{name}"
    give_up = time.monotonic() + _PATIENCE
    while api.exists(path):  # of the last time
        assert time.monotonic() < give_up, f"{name} is there still"
        time.sleep(0.1)
    api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    while not accepts_pods(api, name):
        assert time.monotonic() < give_up, f"no pod can be made in {name}"
        time.sleep(0.05)
    account = api.post(f"{path}/serviceaccounts", {"metadata": {"name": "ci"}})
    scope = f"{RBAC}/namespaces/{name}"
    api.post(f"{scope}/roles", {"metadata": {"name": "ci"}, "rules": rules})
    binding = {
        "metadata": {"name": "ci"},
        "subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": name}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "ci"},
    }
    api.post(f"{scope}/rolebindings", binding)
    _until_allowed(api, name)
    return account


def _until_allowed(api: Api, namespace: str) -> None:
    """RBAC reads roles through watches, so a new one counts a moment later."""
    review = {
        "spec": {
            "user": f"system:serviceaccount:{namespace}:ci",
            "resourceAttributes": {"namespace": namespace, "verb": "create", "resource": "pods"},
        }
    }
    give_up = time.monotonic() + _PATIENCE
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    while not api.post(path, review)["status"]["allowed"]:
        assert time.monotonic() < give_up, "RBAC did not take in the roles"
        time.sleep(0.05)
