"""One invocation that runs something in a container."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from agtool.core.errors import NOT_FOUND, ConfigurationError, UsageError
from agtool.core.output import say
from agtool.core.signals import die_as_by_ctrl_c
from agtool.debug.beside import added
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import Copy, Job
from agtool.debug.plan import open_session
from agtool.debug.pod.named import hint_for
from agtool.debug.pod.target import does_not_run, running
from agtool.debug.session.streams import Attachment, attachment
from agtool.debug.ways import Ways

if TYPE_CHECKING:
    from agtool.debug.session.forward import Listening


def run(job: Job) -> int:
    """Run the command in a container, and leave nothing behind; return the exit code."""
    with Interrupts() as interrupts:
        try:
            return _run(job, interrupts)
        except Stopped as stopped:
            number = stopped.number
    if number is signal.SIGINT:
        die_as_by_ctrl_c()
    return 128 + number


def _run(job: Job, interrupts: Interrupts) -> int:
    if job.copy is not None:
        return _copy(job, job.copy, interrupts)
    attached = attachment(job.stdin, job.terminal, shell=not job.command)
    if not job.command and not attached.stdin and not job.request.keep:
        raise UsageError(
            "there is no terminal for a shell, and no COMMAND to run",
            hint="Run a command: agtool debug -- nslookup myservice",
        )
    with ExitStack() as stack:
        with interrupts.allowed():
            session = stack.enter_context(open_session(job))
        recording = None
        if job.record is not None:
            from agtool.debug.session.record import Recording

            recording = stack.enter_context(Recording(job.record))
            say(f"{job.record} gets all that is shown, passwords and other secrets too")
        listening: list[Listening] = []
        if job.forwards:
            from agtool.debug.session.forward import listen

            # Before anything is made that a port in use would make useless.
            listening = [(stack.enter_context(listen(at)), port) for at, port in job.forwards]
        ways = Ways(job, session, attached, interrupts, recording, listening)
        if job.attach:
            ended = ways.in_a_pod_of_ours(job.attach)
        elif job.target is not None and not job.in_copy:
            ended = ways.beside(job.target)
        else:
            ended = ways.in_a_new_pod()
        from agtool.debug.session.remote import failure

        image = ("" if job.attach else job.request.image) or "the pod's image"
        if error := failure(ended, job.command, job.shell, image, job.given):
            if job.command and error.exit_code == NOT_FOUND:
                with interrupts.allowed():
                    error.hint = hint_for(session, job.command[0]) or error.hint
            raise error
    return ended.exit_code or 0


def _copy(job: Job, copy: Copy, interrupts: Interrupts) -> int:
    """Copy files, in the container itself or, where it has no tar, from a container beside it."""
    from agtool.debug.pod.like import main_container, sidecars
    from agtool.debug.session.place import Place
    from agtool.debug.session.transfer import transfer

    with ExitStack() as stack:
        with interrupts.allowed():
            session = stack.enter_context(open_session(job))
            ways = Ways(job, session, Attachment(stdin=False, terminal=False), interrupts, None)
            pod = session.get(ways.path(copy.pod))
            others = [*sidecars(pod), *(pod["spec"].get("ephemeralContainers") or ())]
            container = main_container(pod, job.container, f"pod {copy.pod}", others)["name"]
            if running(pod, container) is None:
                raise does_not_run(copy.pod, container)
            place = Place(session, ways.path(copy.pod), container)
            with _known_to_run(copy.pod, container):
                found = place.look(copy.path)
        if not found:
            say(f"container {container} has no tar, or no shell: one that has them is added")
            beside = stack.enter_context(added(job, session, interrupts, pod))
            ways.wait_beside(pod, beside.plan)
            place = Place(session, ways.path(copy.pod), job.request.name, "/proc/1/root")
            with interrupts.allowed(), _known_to_run(copy.pod, place.container):
                found = place.look(copy.path)
            if not found:
                raise ConfigurationError(
                    f"image {job.request.image} has no tar, or no shell",
                    hint="Choose another --image.",
                )
        with _known_to_run(copy.pod, place.container):
            transfer(place, copy, found, interrupts)
    return 0


@contextmanager
def _known_to_run(pod: str, container: str) -> Iterator[None]:
    """Where only its node knows that a container has ended, say so as where its status says it."""
    from agtool.core.kube.exec import NotRunningError

    try:
        yield
    except NotRunningError as error:
        raise does_not_run(pod, container) from error
