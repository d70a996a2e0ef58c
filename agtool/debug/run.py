"""One invocation that runs something in a container."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError, ConfigurationError, UsageError
from agtool.core.kube.errors import NotFoundError
from agtool.core.kube.session import Session, connect
from agtool.core.output import say
from agtool.core.signals import die_as_by_ctrl_c
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import CONTAINER, KIND, MAKER, PROCESS, Job, Json, Request
from agtool.debug.pod.explain import progress
from agtool.debug.pod.life import Made, made
from agtool.debug.pod.manifest import needs_pause
from agtool.debug.pod.process import identity, maker
from agtool.debug.pod.wait import wait_until_running
from agtool.debug.session.streams import Attachment, attachment

if TYPE_CHECKING:
    from agtool.debug.session.exec import Ended

_ANSWER = 10.0
"""Seconds for the API server to answer a request. Ctrl-C during the creation waits for that."""

_CONNECTIONS = 4
"""Two watches, a request, and one to spare."""

_KILLED = 137
"""The exit code of what was killed: the pod may have been, and say why."""

_WHY = 2.0
"""Seconds for the cluster to say why a container is gone."""


def run(job: Job) -> int:
    """Run the command in a container, and leave nothing behind; return the exit code."""
    with Interrupts() as interrupts:
        try:
            return _run(job, interrupts)
        except Stopped as stopped:
            number = stopped.number
        except BrokenPipeError:  # the reader of the command's output went away
            return 128 + signal.SIGPIPE
    if number.name == "SIGINT":
        die_as_by_ctrl_c()
    return 128 + number


def dry_run(job: Job) -> list[Json]:
    """What would be created. A workload to be like is read; else nothing is sent."""
    from agtool.debug.pod.architecture import ARCH
    from agtool.debug.pod.manifest import debug_pod, pause_config_map
    from agtool.debug.pod.security import ways
    from agtool.pause import binary

    request = job.request
    arch = request.node_selector.get(ARCH, request.architecture)
    request = replace(request, architecture=arch, annotations=_annotations())
    if job.like is not None or not request.namespace:
        try:
            with session_of(job) as session:
                request = replace(request, namespace=session.namespace)
                request = _with_like(request, job, session)
        except ConfigurationError:
            if job.like is not None or job.kubeconfig or job.context:
                raise
            request = replace(request, namespace="default")  # there is no kubeconfig to ask
    objects = [debug_pod(request, ways(request)[0])]
    if needs_pause(request):
        program = binary(request.architecture).read_bytes()
        objects.insert(0, pause_config_map(request, program, None))
    return objects


def _run(job: Job, interrupts: Interrupts) -> int:
    attached = attachment(job.stdin, job.terminal, shell=not job.command)
    if not job.command and not attached.stdin and not job.request.keep:
        raise UsageError(
            "there is no terminal for a shell, and no COMMAND to run",
            hint="Example: agtool debug -- nslookup myservice",
        )
    with interrupts.allowed():
        session = session_of(job)
        session.websocket_settings()  # refuses a proxy that it cannot pass before a pod is made
    with session:
        here = _Here(job, session, attached, interrupts)
        if job.attach:
            ended = here.in_a_pod_of_ours(job.attach)
        elif job.target is not None:
            ended = here.beside(job.target)
        else:
            ended = here.in_a_new_pod()
    from agtool.debug.session.remote import verdict

    image = "the pod's image" if job.attach else job.request.image
    if problem := verdict(ended, job.command, job.shell, image):
        raise problem
    return ended.exit_code or 0


@dataclass(frozen=True)
class _Here:
    """The ways to run the job's command, or a shell."""

    job: Job
    session: Session
    attached: Attachment
    interrupts: Interrupts

    def in_a_new_pod(self) -> Ended:
        with self.interrupts.allowed():
            request = _completed(self.job, self.session)
        with made(self.session, request, self.interrupts) as pod:
            say(_announcement(self.session, pod))
            self.wait(pod.name, pod.uid, CONTAINER)
            pod.keep = request.keep
            if pod.keep:
                say(_farewell(self.session, request))
            return self.execute(pod.name, CONTAINER, f"{pod.name}-1" if pod.keep else "")

    def in_a_pod_of_ours(self, name: str) -> Ended:
        with self.interrupts.allowed():
            pod = self.session.get(self.path(name))
        if KIND not in (pod["metadata"].get("labels") or {}):
            raise UsageError(
                f"pod {name} was not made by agtool debug",
                hint=f"To look into it: agtool debug --target pod/{name}",
            )
        now = progress(pod, [])
        if now.hopeless:
            raise ConfigurationError(
                f"pod {name} is over: {now.problem}", hint="`agtool debug --cleanup` removes it."
            )
        # A mark of its own: other sessions go on when this one ends.
        return self.execute(name, CONTAINER, f"{name}-{self.job.request.name}")

    def beside(self, target: str) -> Ended:
        from agtool.debug.pod.like import parse_workload
        from agtool.debug.pod.target import add_container, plan_container

        kind, name = parse_workload("--target", target)
        if kind != "pod":
            raise UsageError(
                f"--target {target!r} is no pod", hint="Choose one of its pods: --target pod/NAME"
            )
        with self.interrupts.allowed():
            pod = self.session.get(self.path(name))
            plan = plan_container(pod, self.job.request, self.job.container)
            add_container(self.session, pod, plan.container)
        ours = self.job.request.name
        say(
            f"{ours} in pod {name} of namespace {self.session.namespace}, context "
            f"{self.session.context}: beside container {plan.target}, {plan.told}\n"
            "It shares that container's processes; its files are in /proc/1/root."
        )
        end = f"ends by itself within {self.job.request.lifetime} s (--ttl), if it starts"
        try:
            self.wait(name, pod["metadata"]["uid"], ours)
            end = "is over"
            return self.execute(name, ours, "")
        finally:
            say(f"{ours} {end}; Kubernetes keeps it in the pod's list of containers.")

    def path(self, pod: str) -> str:
        """A pod's path in the API."""
        return f"/api/v1/namespaces/{self.session.namespace}/pods/{pod}"

    def wait(self, pod: str, uid: str, container: str) -> None:
        """Return when the container runs."""
        # Now, while the kubelet is at work: later it would be the person who waits.
        import agtool.debug.session.lifeline
        import agtool.debug.session.remote  # noqa: F401

        wait_until_running(
            self.session,
            self.session.namespace,
            pod,
            uid,
            container=container,
            timeout=self.job.timeout,
            interrupts=self.interrupts,
        )

    def execute(self, pod: str, container: str, mark: str) -> Ended:
        """Run the command, or a shell, in a container that runs.

        Args:
            mark: of the session, if the container's environment has none; see `lifeline`.
        """
        from agtool.debug.session.exec import Ended
        from agtool.debug.session.lifeline import END, LEAVE, Lifeline
        from agtool.debug.session.remote import argv, execute, interpreter
        from agtool.debug.session.websocket import LostError

        job = self.job
        if not (job.command or self.attached.stdin):
            return Ended(0)  # --keep without a terminal: the pod is what was asked for
        tools = job.request.tools is not None and job.attach is None
        lifeline = Lifeline(
            self.session,
            self.path(pod),
            container,
            shell=interpreter(tools),
            mark=mark or job.request.name,
            last_word=LEAVE if job.target is None else END,
        )
        try:
            ended = execute(
                self.session,
                self.path(pod),
                container,
                argv(job.command, job.shell, tools=tools, mark=mark),
                attached=self.attached,
                interrupts=self.interrupts,
                lifeline=lifeline,
            )
        except LostError as error:
            why = self.why_it_is_gone(pod, container)
            raise LostError(f"{error.message}; {why}" if why else error.message) from error
        if ended.exit_code == _KILLED and (why := self.why_it_is_gone(pod, container)):
            say(why)
        return ended

    def why_it_is_gone(self, pod: str, container: str) -> str:
        """What the cluster says about a container that ran; empty: that it still does."""
        until = time.monotonic() + _WHY
        try:
            with self.interrupts.allowed():
                while True:
                    now = progress(self.session.get(self.path(pod)), [], container)
                    if now.problem or time.monotonic() > until:
                        return now.problem
                    time.sleep(0.2)
        except NotFoundError:
            return "somebody deleted the pod"
        except AgtoolError:
            return ""


def session_of(job: Job) -> Session:
    """A session with the job's cluster; nothing is sent yet."""
    return connect(
        kubeconfig=job.kubeconfig,
        context=job.context,
        namespace=job.request.namespace or None,
        as_user=job.as_user,
        as_groups=job.as_groups,
        connections=_CONNECTIONS,
        timeout=_ANSWER,
    )


def _completed(job: Job, session: Session) -> Request:
    """The request with what only the cluster and this process know."""
    from agtool.debug.pod.architecture import architecture

    request = replace(job.request, namespace=session.namespace, annotations=_annotations())
    request = _with_like(request, job, session)
    if not needs_pause(request):
        return request
    selector = dict(request.like.pod.get("nodeSelector") or {}) if request.like else {}
    wanted = {**selector, **request.node_selector}
    return replace(request, architecture=architecture(session, wanted, request.node))


def _with_like(request: Request, job: Job, session: Session) -> Request:
    if job.like is None:
        return request
    from agtool.debug.pod.like import read_like

    like, owner = read_like(session, request.namespace, job.like, job.container)
    if like.dropped:
        say(f"not mounted, since each pod of {like.what} has its own: {', '.join(like.dropped)}")
    return replace(request, like=like, owner=owner)


def _annotations() -> dict[str, str]:
    process = identity()
    return {MAKER: maker(), **({PROCESS: process} if process else {})}


def _announcement(session: Session, pod: Made) -> str:
    where = f"{pod.name} in namespace {pod.namespace} of context {session.context}"
    text = f"{where}: {pod.security.level}, {pod.security.told}"
    if pod.refused:
        text += f"\nThe namespace does not allow what was asked for: {pod.refused}"
    return text


def _farewell(session: Session, request: Request) -> str:
    until = datetime.now().astimezone() + timedelta(seconds=request.lifetime)
    return (
        f"{request.name} stays until {until:%Y-%m-%d %H:%M:%S} (--ttl). "
        f"Into it again: agtool debug {session.options} --attach {request.name}\n"
        f"Remove it: kubectl {session.options} delete pod {request.name}"
    )
