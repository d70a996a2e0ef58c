"""etcd and kube-apiserver, and what makes them a whole control plane: flags and readiness."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.cluster import pki, recipe
from tests.cluster.build import Programs
from tests.cluster.instances import remove
from tests.cluster.process import Program
from tests.cluster.server import Server
from tests.servers.process import free_port

SERVICES = "10.96.0.0/24"
SERVICE_OF_API = "10.96.0.1"


class Place(NamedTuple):
    """Where a control plane listens. prefix: as of `Program`; bind: what kube-apiserver binds."""

    address: str
    bind: str
    api: int
    etcd: int
    etcd_peer: int
    prefix: Sequence[str] = ()


def loopback() -> Place:
    """Free ports on loopback."""
    address = "127.0.0.1"
    return Place(address, address, free_port(), free_port(), free_port())


@dataclass(frozen=True)
class Settings:
    """What the components of one control plane are started with."""

    folder: Path
    programs: Programs
    place: Place
    controllers: bool
    scheduler: bool

    @property
    def pki(self) -> Path:
        """The folder with the certificates."""
        return self.folder / "pki"

    @property
    def url(self) -> str:
        """Where kube-apiserver is."""
        return f"https://{self.place.address}:{self.place.api}"


class ControlPlane(Server):
    """etcd and kube-apiserver; with controllers, kube-controller-manager and kube-scheduler too.

    With a scheduler alone pods are placed on nodes that are objects only, which stay as they are.
    """

    def __init__(
        self,
        folder: Path,
        programs: Programs,
        place: Place,
        *,
        controllers: bool = False,
        scheduler: bool = False,
    ) -> None:
        super().__init__(folder / "admin.kubeconfig")
        self.settings = Settings(folder, programs, place, controllers, controllers or scheduler)
        self.authority = pki.Authority(self.settings.pki)
        self.etcd = _etcd(self.settings)
        self.apiserver = _apiserver(self.settings)
        self._controller_manager = _controller_manager(self.settings)
        self._scheduler = _scheduler(self.settings)

    @property
    def programs(self) -> list[Program]:
        """In the order of their start."""
        more = [self._controller_manager] * self.settings.controllers
        more += [self._scheduler] * self.settings.scheduler
        return [self.etcd, self.apiserver, *more]

    def start(self) -> None:
        """Start what does not run. Raises ServerFailed."""
        if not self.kubeconfig.exists():
            (self.settings.folder / "etcd").mkdir(mode=0o700)
            _write_certificates(self.authority, self.settings, self.kubeconfig)
        self.etcd.start()
        self.start_apiserver()
        for program in self.programs:
            program.start()

    def stop(self) -> None:
        """Stop all and leave nothing. Raises ServerFailed."""
        remove(self.settings.folder)

    def start_apiserver(self) -> None:
        """Start kube-apiserver, at the same address and with the same data. Raises ServerFailed."""
        self.apiserver.start()
        context = ssl.create_default_context(cafile=str(self.ca))
        with httpx.Client(verify=context, trust_env=False) as client:
            self.apiserver.wait(lambda: _answers(client, f"{self.url}/readyz"))

    def stop_apiserver(self) -> None:
        """Stop kube-apiserver, at once; etcd keeps what it knew."""
        self.apiserver.stop()

    def restart_apiserver(self) -> None:
        """Stop and start it: connections break, and watches have to begin anew."""
        self.stop_apiserver()
        self.start_apiserver()

    @property
    def url(self) -> str:
        return self.settings.url

    @property
    def kubectl(self) -> Path:
        return self.settings.programs.kubectl

    @property
    def ca(self) -> Path:
        return self.authority.certificate


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _write_certificates(authority: pki.Authority, settings: Settings, admin: Path) -> None:
    folder, place = settings.pki, settings.place
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    hosts = [place.address, "127.0.0.1", SERVICE_OF_API, *names]
    authority.server("kube-apiserver", hosts).write(folder, "apiserver")
    kubelet = authority.client("kube-apiserver-kubelet-client", ["system:masters"])
    kubelet.write(folder, "kubelet-client")
    pki.service_account_key(folder)
    for name in ("kube-controller-manager", "kube-scheduler"):
        user = authority.client(f"system:{name}")
        pki.write_kubeconfig(folder / f"{name}.kubeconfig", settings.url, folder / "ca.crt", user)
    # The last one: it tells that all of them are there.
    user = authority.client("admin", ["system:masters"])
    pki.write_kubeconfig(admin, settings.url, folder / "ca.crt", user)


def _etcd(settings: Settings) -> Program:
    place = settings.place
    client = f"http://127.0.0.1:{place.etcd}"
    peer = f"http://127.0.0.1:{place.etcd_peer}"
    argv: list[str | Path] = [
        settings.programs.etcd / "etcd",
        f"--data-dir={settings.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
        # What is lost with the power is only a test's.
        "--unsafe-no-fsync",
    ]
    return Program(settings.folder, "etcd", argv, place.prefix)


def _apiserver(settings: Settings) -> Program:
    place, folder = settings.place, settings.pki
    argv: list[str | Path] = [
        settings.programs.kubernetes / "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{place.etcd}",
        f"--bind-address={place.bind}",
        f"--secure-port={place.api}",
        f"--advertise-address={place.address}",
        # The address of the service is the server's own here, and loopback is refused in one.
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={SERVICES}",
        f"--tls-cert-file={folder / 'apiserver.crt'}",
        f"--tls-private-key-file={folder / 'apiserver.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'sa.pub'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        f"--kubelet-certificate-authority={folder / 'ca.crt'}",
        f"--kubelet-client-certificate={folder / 'kubelet-client.crt'}",
        f"--kubelet-client-key={folder / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        # One by one, thousands of nodes take their time.
        "--delete-collection-workers=16",
    ]
    if gates := recipe.feature_gates():
        argv.append("--feature-gates=" + ",".join(f"{name}={on}" for name, on in gates.items()))
    if not settings.controllers:
        # Nobody makes the accounts that the first asks for, or takes away the taint not-ready that
        # the second gives to new nodes.
        argv.append("--disable-admission-plugins=ServiceAccount,TaintNodesByCondition")
    return Program(settings.folder, "kube-apiserver", argv, place.prefix)


def _controller_manager(settings: Settings) -> Program:
    folder = settings.pki
    argv: list[str | Path] = [
        settings.programs.kubernetes / "kube-controller-manager",
        f"--kubeconfig={folder / 'kube-controller-manager.kubeconfig'}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={settings.folder / 'kube-controller-manager'}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={folder / 'sa.key'}",
        f"--root-ca-file={folder / 'ca.crt'}",
    ]
    return Program(settings.folder, "kube-controller-manager", argv, settings.place.prefix)


def _scheduler(settings: Settings) -> Program:
    argv: list[str | Path] = [
        settings.programs.kubernetes / "kube-scheduler",
        f"--kubeconfig={settings.pki / 'kube-scheduler.kubeconfig'}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={settings.folder / 'kube-scheduler'}",
    ]
    return Program(settings.folder, "kube-scheduler", argv, settings.place.prefix)
