"""A cluster with one node: the machine, the control plane in it, and the node."""

from pathlib import Path

from tests.cluster.api import Api, accepts_pods
from tests.cluster.build import Programs
from tests.cluster.control_plane import SERVICE_OF_API, ControlPlane, Place
from tests.cluster.images import NAMES
from tests.cluster.instances import remove
from tests.cluster.machine import Machine
from tests.cluster.node import NAME, Node
from tests.cluster.process import Program
from tests.cluster.server import Server

# All in the machine, where the ports are free; 443 is the one of the service `kubernetes`.
API, ETCD, ETCD_PEER = 443, 2379, 2380


class Cluster(Server):
    """A whole cluster. Its state is all in its folder, so that another process can go on with it.

    Raises ServerUnavailable when there can be none on this machine.
    """

    node = NAME
    images = NAMES

    def __init__(self, folder: Path, programs: Programs) -> None:
        super().__init__(folder / "admin.kubeconfig")
        self.folder = folder
        self._programs = programs
        self._machine = Machine(folder)

    @property
    def kubectl(self) -> Path:
        return self._programs.kubectl

    @property
    def control_plane(self) -> ControlPlane:
        """Its control plane. The machine must run."""
        machine = self._machine
        # 443 on all its addresses, so that pods reach the service without a kube-proxy.
        place = Place(machine.address, "0.0.0.0", API, ETCD, ETCD_PEER, machine.prefix)  # noqa: S104
        return ControlPlane(self.folder, self._programs, place, controllers=True)

    @property
    def programs(self) -> list[Program]:
        """What runs in the machine, in the order of its start. The machine must run."""
        return [*self.control_plane.programs, *self._node().programs]

    @property
    def service_account_key(self) -> Path:
        """The file with the key by which it signs the tokens of service accounts."""
        return self.control_plane.settings.pki / "sa.key"

    @property
    def outside(self) -> str:
        """The address of this side, where what listens can be reached from pods."""
        return f"{self._machine.network}.254"

    def load(self, archive: Path) -> None:
        """Let the node have the image of an archive. Raises ServerFailed."""
        self._node().load(archive)

    def processes(self) -> dict[str, int | None]:
        """The process id of each program; None for one that does not run."""
        if not self._machine.running():
            return {"machine": None}
        running = {program.name: program.pid for program in self.programs}
        return {"machine": self._machine.first, **running}

    def start(self) -> None:
        """Start what does not run, and return when pods can run. Raises ServerFailed."""
        if not self._machine.running():
            if (self.folder / "machine").exists():
                # What was there ended with its machine.
                self.stop()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._machine.start([f"{SERVICE_OF_API}/32"])
        self.control_plane.start()
        node = self._node()
        node.start()
        with self.connect() as api:
            node.kubelet.wait(lambda: node.answers() and self._is_ready(api))

    def stop(self) -> None:
        """Stop all and leave nothing. Raises ServerFailed."""
        remove(self.folder)

    def stop_apiserver(self) -> None:
        """Stop kube-apiserver; etcd keeps what it knew."""
        self.control_plane.stop_apiserver()

    def start_apiserver(self) -> None:
        """Start kube-apiserver, at the same address and with the same data. Raises ServerFailed."""
        self.control_plane.start_apiserver()

    def restart_apiserver(self) -> None:
        """Stop and start it: connections break, and watches have to begin anew."""
        self.control_plane.restart_apiserver()

    def _node(self) -> Node:
        plane = self.control_plane
        return Node(self.folder, self._programs, self._machine, plane.authority, plane.url)

    def _is_ready(self, api: Api) -> bool:
        path = f"/api/v1/nodes/{NAME}"
        if not api.exists(path):
            return False
        node = api.get(path)
        conditions = {each["type"]: each["status"] for each in node["status"]["conditions"]}
        # The scheduler minds the taint, which goes a moment later.
        ready = conditions.get("Ready") == "True" and not node["spec"].get("taints")
        return ready and accepts_pods(api, "default")
