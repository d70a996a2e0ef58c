"""containerd and kubelet: the node of a cluster, in a machine of its own."""

import json
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.cluster import images, pki, recipe
from tests.cluster.build import Programs
from tests.cluster.machine import BRIDGE, Machine
from tests.cluster.process import Program
from tests.servers.process import ServerUnavailable, find_program

NAME = "node-1"

KUBELET = 10250
"""Its port, the default."""

# In the machine, which has a /run of its own. What has sockets lies there, for a short path: they
# may have 107 bytes.
SOCKET = "/run/containerd/containerd.sock"

CNI_PLUGINS = Path("/usr/lib/cni")

_CONTAINERD = """
version = 3
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{snapshotter}"
  pinned_images = {{ sandbox = "{sandbox}" }}
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc could not give a sandbox the -998 that kubelet asks for.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{plugins}"]
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    # Else another one, of the machine's packages, might be found first.
    runtime_path = "{shim}"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


class Node:
    """The node of the cluster whose API server is at `url`."""

    def __init__(
        self, folder: Path, programs: Programs, machine: Machine, authority: pki.Authority, url: str
    ) -> None:
        find_program("runc")
        if not (CNI_PLUGINS / "bridge").exists():
            raise ServerUnavailable(
                "containernetworking-plugins is not installed; "
                "tests/install-system-packages.sh helps"
            )
        self.folder = folder / "node"
        self._programs = programs
        self._machine = machine
        self._authority = authority
        self._url = url
        containerd: list[str | Path] = [
            programs.containerd / "containerd",
            f"--config={self.folder / 'containerd.toml'}",
        ]
        self.containerd = Program(folder, "containerd", containerd, machine.prefix)
        kubelet: list[str | Path] = [
            programs.kubernetes / "kubelet",
            f"--config={self.folder / 'kubelet.json'}",
            f"--kubeconfig={self.folder / 'kubelet.kubeconfig'}",
            f"--hostname-override={NAME}",
            f"--node-ip={machine.address}",
            "--root-dir=/run/kubelet",
            "--runtime-cgroups=/",
        ]
        self.kubelet = Program(folder, "kubelet", kubelet, machine.prefix)
        ctr = str(programs.containerd / "ctr")
        self._ctr = [*machine.prefix, ctr, f"--address={SOCKET}", "--namespace=k8s.io"]

    @property
    def programs(self) -> list[Program]:
        """In the order of their start."""
        return [self.containerd, self.kubelet]

    def start(self) -> None:
        """Start what does not run, without waiting for the node. Raises ServerFailed."""
        if not (self.folder / "kubelet.json").exists():
            self._configure()
        self.containerd.start()
        self.containerd.wait(lambda: self._can("version"))
        archives = images.write(self.folder / "images")
        for archive in archives:
            self.load(archive)
        self.kubelet.start()

    def load(self, archive: Path) -> None:
        """Import an image. Raises ServerFailed."""
        if not self._can("images", "import", str(archive)):
            self.containerd.wait(lambda: False, seconds=0)

    def answers(self) -> bool:
        """Whether kubelet can be asked for logs and exec.

        While it is started again the node still counts as ready: it was so a moment ago.
        """
        with suppress(OSError), socket.create_connection((self._machine.address, KUBELET), 1):
            return True
        return False

    def _can(self, *arguments: str) -> bool:
        """Whether a command of ctr succeeds."""
        return not subprocess.run(
            [*self._ctr, *arguments], check=False, capture_output=True
        ).returncode

    def _configure(self) -> None:
        for name in ("cni", "manifests"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "cni" / "cluster.conflist").write_text(json.dumps(self._network()))
        (self.folder / "containerd.toml").write_text(
            _CONTAINERD.format(
                folder=self.folder,
                socket=SOCKET,
                sandbox=images.NAMES.pause,
                plugins=CNI_PLUGINS,
                shim=self._programs.containerd / "containerd-shim-runc-v2",
                snapshotter=_snapshotter(self.folder),
            )
        )
        hosts = [NAME, self._machine.address]
        self._authority.server(f"system:node:{NAME}", hosts).write(self.folder, "kubelet")
        user = self._authority.client(f"system:node:{NAME}", ["system:nodes"])
        kubeconfig = self.folder / "kubelet.kubeconfig"
        pki.write_kubeconfig(kubeconfig, self._url, self._authority.certificate, user)
        # The last one: it tells that all of them are there.
        (self.folder / "kubelet.json").write_text(json.dumps(self._kubelet(), indent=1))

    def _network(self) -> dict[str, object]:
        subnet = {
            "subnet": f"{self._machine.network}.0/24",
            "rangeStart": f"{self._machine.network}.10",
            "rangeEnd": f"{self._machine.network}.250",
            "gateway": self._machine.address,
        }
        addresses = {
            "type": "host-local",
            "dataDir": "/run/cni",
            "ranges": [[subnet]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipam": addresses}
        return {"cniVersion": "0.4.0", "name": "cluster", "plugins": [bridge]}

    def _kubelet(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self._machine.address,
            "healthzPort": 0,
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            # Cgroups of version 1 are what some of the machines have that run the tests.
            "failCgroupV1": False,
            "featureGates": recipe.feature_gates(),
            "tlsCertFile": str(self.folder / "kubelet.crt"),
            "tlsPrivateKeyFile": str(self.folder / "kubelet.key"),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._authority.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "staticPodPath": str(self.folder / "manifests"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._machine.cgroup}",
            "failSwapOn": False,
            # There is no kube-proxy, whose rules these would be.
            "makeIPTablesUtilChains": False,
            "resolvConf": "",
            # None answers there. Without one every pod gets a warning of it.
            "clusterDNS": ["10.96.0.10"],
            # A test should see soon what it waits for.
            "nodeStatusUpdateFrequency": "2s",
            "syncFrequency": "5s",
            # The disk of whoever runs the tests may be nearly full.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "50Mi",
                "nodefs.available": "0%",
                "imagefs.available": "0%",
                "nodefs.inodesFree": "0%",
            },
        }


def _snapshotter(folder: Path) -> str:
    """overlayfs cannot lie on itself, as it would in a container."""
    command = ["stat", "--file-system", "--format=%T", str(folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return "native" if found == "overlayfs" else "overlayfs"
