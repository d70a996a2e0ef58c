"""Pure: what was asked for, as plain data."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from agtool.debug.modes import Given

if TYPE_CHECKING:
    from pathlib import Path

    from agtool.core.kube.session import Json
    from agtool.core.options import ClusterOptions

DEFAULT_IMAGE = "docker.io/library/alpine:3.23.0"
"""Small, with a package manager; pinned, so that it is the same one tomorrow."""

CONTAINER = "debug"
"""The name of our container in each pod."""

MANAGED_BY = ("app.kubernetes.io/managed-by", "agtool")
"""On all that agtool makes."""

KIND = "agtool/debug"
"""The label of debug pods: `session` ends with its agtool, `kept` does not."""

MAKER = "agtool/made-by"
"""The annotation with the person and the machine."""

PROCESS = "agtool/process"
"""The annotation with the process that a session ends with, see `pod.process.identity`."""

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""The annotation with the name of the container that is meant where none is named."""

STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
"""Where the status of a pod has that of a container; a name is in one of them only."""

MARK = "AGTOOL_SESSION"
"""The environment variable that marks a session's processes, see `session.lifeline`."""

TOOLS = "/.agtool-tools"
"""The folder with the files of the image of --tools."""

PLAIN_SHELL = ("sh", "-c")
"""How a script is run by the container's own shell."""

_OURS = ("agilicus/pause", "agtool/debug", "agtool/pause")
"""Images whose own main process is a pause, by the end of their repository's name."""


class Workload(NamedTuple):
    """A pod, or what makes pods, such as a deployment."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Like:
    """What a pod takes over from a workload.

    Attributes:
        labels: without those by which a controller tells its own pods apart.
        container: env, envFrom, volumeMounts of its main container.
        pod: the fields of the pod's spec that its volumes, network and place depend on.
        user: the user id that it runs as; None: it does not say.
        dropped: paths of mounts that have no volume here (a StatefulSet's own claims).
        group: the group id that it runs as, likewise.
        annotations: those that are not about one pod only.
        differences: what is not taken over, for people.
    """

    labels: Mapping[str, str]
    container: Json
    pod: Json
    user: int | None
    dropped: Sequence[str] = ()
    group: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    differences: Sequence[str] = ()


@dataclass(frozen=True)
class Custom:
    """What the file of --custom says.

    Attributes:
        container: a partial container, ours.
        pod: a partial pod (metadata, spec) without that container; empty: the file has none.
        lines: of each field, by its path in the pod, such as `spec.volumes[0].name`.
        name: of the file, for people.
    """

    container: Json
    pod: Json
    lines: Mapping[str, int]
    name: str


@dataclass(frozen=True)
class Copied:
    """The pod of --copy.

    Attributes:
        spec: as ours has it, its container that is debugged being the first.
        container: what that one is called there.
        annotations: those that are not about one pod only.
        user: as whom that container runs, if the pod says.
        program: what it would run, and its arguments, as a shell would have them.
    """

    spec: Json
    container: str
    annotations: Mapping[str, str]
    user: int | None
    program: str


@dataclass(frozen=True)
class Request:
    """The pod that was asked for.

    Attributes:
        namespace: empty: that of the context.
        lifetime: seconds.
        tolerations: as a pod has them.
        user: a user id; None: not asked.
        root: to be root, where the namespace allows it.
        node: run on this node, in its namespaces.
        tools: an image whose programs are laid beside those of `image`.
        copies_tools: by an init container, where the cluster has no volumes that are images.
        pause_image: an image that has the main process, instead of a ConfigMap.
        group: a group id; None: not asked.
        profile: the name of one of kubectl debug's; None: what the namespace allows.
        capabilities: to be added to the container's.
        pull_secrets: names of Secrets with which the node pulls.
        hostname: of the pod; None: its name.
        host_network: be in the network of the node.
        mounts: have the volume mounts of the target.
        custom: what --custom changes in the container and the pod.
        copied: the pod that ours is a copy of.
    """

    name: str
    namespace: str
    image: str
    lifetime: int
    architecture: str = "amd64"
    pull_policy: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    service_account: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Json] = ()
    cpu: str | None = None
    memory: str | None = None
    user: int | None = None
    root: bool = False
    node: str | None = None
    keep: bool = False
    tools: str | None = None
    copies_tools: bool = False
    pause_image: str | None = None
    like: Like | None = None
    group: int | None = None
    profile: str | None = None
    capabilities: Sequence[str] = ()
    pull_secrets: Sequence[str] = ()
    hostname: str | None = None
    host_network: bool = False
    mounts: bool = False
    custom: Custom | None = None
    copied: Copied | None = None


class Copy(NamedTuple):
    """Files to copy.

    Attributes:
        path: in the pod's container.
        into: whether they go into the pod, and not out of it.
    """

    local: Path
    pod: str
    path: str
    into: bool


@dataclass(frozen=True)
class Job:
    """What to do, where, as whom.

    Attributes:
        request: the pod to make; for a target, the container.
        command: empty: a shell.
        shell: which one; None: the best that is there.
        stdin, terminal: None: as our own streams are.
        timeout: seconds until the container has to run.
        attach: the name of a pod of ours to use instead of a new one.
        target: the pod, or a workload of which one is meant, beside whose container to run, instead
            of in a pod of its own.
        in_copy: run in a copy of that pod instead.
        pod_index: which one of the pods of a workload; None: the only one, or ask.
        container: which one of the target, or of the workload for --like.
        like: the workload that the new pod is to be like.
        record: the file for a recording of the session.
        copy: files to copy, instead of a command.
        given: what stands on the command line, for hints.
        forwards: ports of this machine, and of the pod, that are one for the life of the session.
    """

    cluster: ClusterOptions
    request: Request
    command: Sequence[str]
    shell: str | None
    stdin: bool | None
    terminal: bool | None
    timeout: float
    attach: str | None = None
    target: Workload | None = None
    in_copy: bool = False
    pod_index: int | None = None
    container: str | None = None
    like: Workload | None = None
    record: Path | None = None
    copy: Copy | None = None
    forwards: Sequence[tuple[int, int]] = ()
    given: Given = field(default_factory=Given)


def own_labels(request: Request) -> dict[str, str]:
    """The labels of all that is made for a request."""
    return dict([MANAGED_BY]) | {KIND: "kept" if request.keep else "session"}


def new_name() -> str:
    """A name for a pod: unique, so that a request without an answer can be looked up by it."""
    # Kubernetes' own alphabet: no vowels, hence no words; nothing that looks like something else.
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "debug-" + "".join(secrets.choice(alphabet) for _ in range(6))


def has_pause(image: str) -> bool:
    """Whether an image brings its own pause: agilicus/pause, with any registry, tag or digest."""
    folder, slash, last = image.partition("@")[0].rpartition("/")
    repository = f"/{folder}{slash}{last.partition(':')[0]}"
    return repository.endswith(tuple(f"/{ours}" for ours in _OURS))


def sends_pause(request: Request) -> bool:
    """Whether the main process comes as a ConfigMap, and fits one architecture only."""
    return not (has_pause(request.image) or request.pause_image)
