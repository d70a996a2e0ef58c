"""One invocation that makes a pod."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agtool.core.errors import UsageError
from agtool.core.kube import Session, connect
from agtool.core.output import say
from agtool.core.signals import die_as_by_ctrl_c
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.life import Made, made
from agtool.debug.model import CONTAINER, MAKER, PROCESS, Request
from agtool.debug.pod import needs_pause
from agtool.debug.process import identity, maker
from agtool.debug.wait import wait_until_running

_ANSWER = 10.0
"""Seconds for the API server to answer a request. Ctrl-C during the creation waits for that."""

_CONNECTIONS = 4
"""Two watches, a request, and one to spare."""


@dataclass(frozen=True)
class Job:
    """What to do, where, as whom.

    Attributes:
        command: empty: a shell.
        stdin, terminal: None: as our own streams are.
        timeout: seconds until the container has to run.
    """

    request: Request
    command: list[str]
    shell: str | None
    stdin: bool | None
    terminal: bool | None
    timeout: float
    kubeconfig: Path | None
    context: str | None
    as_user: str | None
    as_groups: Sequence[str]


def run(job: Job) -> int:
    """Make a pod, run the command in it, remove it; return the exit code."""
    number = 0
    with Interrupts() as interrupts:
        try:
            return _run(job, interrupts)
        except Stopped as stopped:
            number = stopped.number
    if number == 2:
        die_as_by_ctrl_c()
    return 128 + number


def _run(job: Job, interrupts: Interrupts) -> int:
    from agtool.debug.remote import SHELL, attachment, execute, verdict

    attached = attachment(job.stdin, job.terminal, shell=not job.command)
    if not job.command and not attached.stdin and not job.request.keep:
        raise UsageError(
            "there is no terminal for a shell, and no COMMAND to run",
            hint="Example: agtool debug -- nslookup myservice",
        )
    with interrupts.allowed():
        session = connect(
            kubeconfig=job.kubeconfig,
            context=job.context,
            namespace=job.request.namespace or None,
            as_user=job.as_user,
            as_groups=job.as_groups,
            connections=_CONNECTIONS,
            timeout=_ANSWER,
        )
        request = _completed(job.request, session)
    command = job.command or ([job.shell] if job.shell else list(SHELL))
    with session, made(session, request, interrupts) as pod:
        say(_announcement(session, pod))
        wait_until_running(
            session, pod.namespace, pod.name, pod.uid, timeout=job.timeout, interrupts=interrupts
        )
        pod.keep = request.keep
        ended = execute(
            session,
            pod.namespace,
            pod.name,
            CONTAINER,
            command,
            attached=attached,
            interrupts=interrupts,
        )
    if problem := verdict(ended, command, request.image, shell=not job.command):
        raise problem
    assert ended.exit_code is not None  # noqa: S101  # or there was a verdict
    return ended.exit_code


def _completed(request: Request, session: Session) -> Request:
    from agtool.debug.place import architecture

    arch = request.architecture
    if needs_pause(request):
        arch = architecture(session, request.node_selector, request.node)
    process = identity()
    annotations = {MAKER: maker(), **({PROCESS: process} if process else {})}
    return replace(
        request,
        namespace=request.namespace or session.namespace,
        architecture=arch,
        annotations=annotations,
    )


def _announcement(session: Session, pod: Made) -> str:
    where = f"{pod.name} in namespace {pod.namespace} of context {session.context}"
    text = f"{where}: {pod.security.level}, {pod.security.told}"
    if pod.refused:
        text += f"\nThe namespace does not allow what was asked for: {pod.refused}"
    return text
