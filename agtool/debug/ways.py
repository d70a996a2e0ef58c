"""The ways to run a command, or a shell: in a new pod, in one of ours, beside a container."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError, ConfigurationError, UsageError
from agtool.core.kube.errors import ForbiddenError, NotFoundError
from agtool.core.output import say
from agtool.debug.beside import added, place_of
from agtool.debug.model import CONTAINER, KIND, PLAIN_SHELL, TOOLS, Job, Request, Workload
from agtool.debug.plan import completed
from agtool.debug.pod.choice import find_pod
from agtool.debug.pod.custom import says_security
from agtool.debug.pod.explain import WITH_ITS_SESSION, start_state
from agtool.debug.pod.gone import WHY, problem_of, why_it_is_gone
from agtool.debug.pod.life import Made, made
from agtool.debug.pod.look import Seen, described, look
from agtool.debug.pod.manifest import pause_program
from agtool.debug.pod.node import hindrance
from agtool.debug.pod.profile import wants_root
from agtool.debug.pod.target import (
    ContainerPlan,
    Way,
    does_not_run,
    running,
)
from agtool.debug.pod.wait import NotStartedError, wait_until_running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agtool.core.kube.ended import Ended
    from agtool.core.kube.session import Json, Session
    from agtool.debug.interrupts import Interrupts
    from agtool.debug.session.forward import Listening
    from agtool.debug.session.record import Recording
    from agtool.debug.session.streams import Attachment

_KILLED = 137
"""The exit code of what was killed: the pod may have been, and say why."""


@dataclass(frozen=True)
class There:
    """Where and how something is run.

    Attributes:
        mark: of the session, if the container's environment has none; see `lifeline`.
        runner: how a script is run there.
        pause: the path of our program in the container; None: it may not be there.
    """

    pod: str
    container: str
    mark: str
    runner: Sequence[str] = PLAIN_SHELL
    pause: str | None = None


@dataclass(frozen=True)
class Ways:
    """The ways to run the job's command, or a shell.

    Attributes:
        listening: the ports of --port-forward.
    """

    job: Job
    session: Session
    attached: Attachment
    interrupts: Interrupts
    recording: Recording | None
    listening: Sequence[Listening] = ()

    def in_a_new_pod(self) -> Ended:
        with self.interrupts.allowed():
            node = self.job.request.node
            if node is not None and (told := hindrance(self.session, node)):
                say(
                    f"{told}\nWaiting {self.job.timeout:.0f} s (--timeout) for it. If that fails, "
                    "the node removes the pod when it is back.",
                    level="warning",
                )
            request = completed(self.job, self.session)
        with made(self.session, request, self.interrupts) as pod:
            place, security = place_of(self.session), pod.security
            say(f"pod {pod.name} in {place}: {security.level}, {security.meaning}")
            if says_security(request.custom):
                say("--custom changes what its container may do")
            say(_afterwards(self.session, pod))
            if pod.refused:
                say(f"The namespace does not allow what was asked for: {pod.refused}")
            if pod.changed:
                say(f"The cluster's admission changed what was asked for: {pod.changed}")
            self.wait(pod.name, pod.uid, CONTAINER)
            pod.keep = request.keep
            if pod.keep:
                say(_farewell(self.session, request, pod))
            mark = f"{pod.name}-1" if pod.keep else ""
            there = There(pod.name, CONTAINER, mark, pause=pause_program(request))
            if request.tools:
                there = self.with_tools(there, TOOLS)
            return self.execute(there)

    def in_a_pod_of_ours(self, name: str) -> Ended:
        with self.interrupts.allowed():
            try:
                pod = self.session.get(self.path(name))
            except NotFoundError as error:
                error.hint = "To see which there are: agtool debug --list"
                raise
        if KIND not in (pod["metadata"].get("labels") or {}):
            raise UsageError(
                f"pod {name} was not made by agtool debug",
                hint=f"To run in a container beside it: agtool debug --target pod/{name}",
            )
        now = start_state(pod, [])
        if now.hopeless:
            raise ConfigurationError(
                f"pod {name} has ended: {now.problem}",
                hint="To remove it: agtool debug --cleanup",
            )
        # A mark of its own: other sessions go on when this one ends.
        return self.execute(There(name, CONTAINER, f"{name}-{self.job.request.name}"))

    def beside(self, workload: Workload) -> Ended:
        request = self.job.request
        with self.interrupts.allowed():
            pod = find_pod(self.session, workload, self.job.pod_index, running=True)
        name = pod["metadata"]["name"]
        with added(self.job, self.session, self.interrupts, pod) as container:
            self.wait_beside(pod, container.plan)
            there = There(name, request.name, "")
            seen = self.look(there, container.plan, container.way)
            if request.tools:
                ended = self.inside(name, container.plan, seen)
            else:
                ended = self.execute(there)
            container.has_ended = True  # the session's lifeline has seen to it
            return ended

    def look(self, there: There, plan: ContainerPlan, way: Way) -> Seen | None:
        """See, and say, what can be read of the target."""
        context = way.container.get("securityContext") or {}
        with self.told_if_it_ended(there), self.interrupts.allowed():
            identity = plan.identity if plan.shared else ""
            seen = look(self.session, self.path(there.pod), there.container, identity)
        if seen is None:
            say(f"What can be read of container {plan.target} is not known: the image has no sh.")
        else:
            for line in described(seen, wants_root=wants_root(context), given=self.job.given):
                say(line)
        return seen

    def inside(self, pod: str, plan: ContainerPlan, seen: Seen | None) -> Ended:
        """Run in the target's own container, with the tools that are the files of ours."""
        if seen is None or not seen.mine or not seen.readable:
            raise ConfigurationError(
                f"the programs of {self.job.request.image} cannot be run in container "
                f"{plan.target}: its processes do not see ours",
                hint=f"Run beside it instead: agtool debug --target pod/{pod} --image "
                f"{self.job.request.image}",
            )
        root = f"/proc/{seen.mine}/root"
        say(
            f"This runs in container {plan.target} itself; the programs of "
            f"{self.job.request.image} are in {root}"
        )
        mark = self.job.request.name
        return self.execute(self.with_tools(There(pod, plan.target, mark), root))

    def with_tools(self, there: There, root: str) -> There:
        """The same with the shell that finds the programs of --tools."""
        from agtool.debug.session.toolbox import find_shell

        with self.told_if_it_ended(there), self.interrupts.allowed():
            runner = find_shell(self.session, self.path(there.pod), there.container, root)
        return replace(there, runner=runner)

    def path(self, pod: str) -> str:
        """A pod's path in the API."""
        return f"/api/v1/namespaces/{self.session.namespace}/pods/{pod}"

    def wait_beside(self, pod: Json, plan: ContainerPlan) -> None:
        """Return when the container that was added runs.

        Raises:
            NotStartedError: it cannot start, as where nobody could join the target's processes.
        """
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        try:
            self.wait(name, uid, self.job.request.name)
        except NotStartedError as error:
            if self.is_gone(name, plan):
                raise does_not_run(
                    name, plan.target, f"it ended meanwhile: {error.message}"
                ) from error
            raise

    def is_gone(self, pod: str, plan: ContainerPlan) -> bool:
        """Whether the target, which ran, has ended or was started anew."""
        until = time.monotonic() + WHY
        try:
            with self.interrupts.allowed():
                while running(self.session.get(self.path(pod)), plan.target) == plan.identity:
                    # The kubelet tells up to a second later than it knows.
                    if time.monotonic() > until:
                        return False
                    time.sleep(0.2)
        except AgtoolError:
            return False
        return True

    def wait(self, pod: str, uid: str, container: str) -> None:
        """Return when the container runs."""
        # Now, while the kubelet is at work: later it would be the person who waits.
        import agtool.debug.session.lifeline
        import agtool.debug.session.remote  # noqa: F401

        timeout, interrupts = self.job.timeout, self.interrupts
        wait_until_running(
            self.session,
            pod,
            uid,
            container=container,
            timeout=timeout,
            interrupts=interrupts,
            given=self.job.given,
        )

    def execute(self, at: There) -> Ended:
        """Run the command, or a shell, in a container that runs."""
        from agtool.core.kube.ended import Ended
        from agtool.core.kube.upgraded import LostError, RefusedError
        from agtool.debug.session.held import Holder
        from agtool.debug.session.lifeline import END, LEAVE, Lifeline
        from agtool.debug.session.remote import argv, execute

        job = self.job
        if not (job.command or self.attached.stdin):
            return Ended(0)  # --keep without a terminal: the pod is what was asked for
        there = (self.session, self.path(at.pod), at.container)
        session = at.mark or job.request.name
        lifeline = None
        if self.attached.terminal or at.pause is None:  # else pause ends the command without us
            lifeline = Lifeline(
                *there,
                shell=at.runner,
                mark=session,
                last_word=END if job.target and not job.in_copy else LEAVE,
            )
        command = argv(job.command, job.shell, runner=at.runner, mark=at.mark)
        forwards = None
        if self.listening:
            from agtool.debug.session.forward import Forwards

            forwards = Forwards(*there[:2], self.listening, self._warn)
            for here, port in self.listening:
                say(f"127.0.0.1:{here.getsockname()[1]} leads to port {port} of the pod")
        try:
            ended = execute(
                *there,
                command,
                self.attached,
                interrupts=self.interrupts,
                lifeline=lifeline,
                holder=Holder(at.pause, session, list(at.runner)),
                recording=self.recording,
                shown=job.command,
                forwards=forwards,
            )
        except LostError as error:
            why = self.why_it_is_gone(at)
            raise LostError(f"{error.message}; {why}" if why else error.message) from error
        except AgtoolError as error:
            refused = isinstance(error.__cause__, RefusedError)
            if refused and not isinstance(error, ForbiddenError) and (why := self._ended(at)):
                raise NotStartedError(why) from error
            raise
        if ended.message and ended.exit_code is None and (why := self._ended(at)):
            raise NotStartedError(why)  # the runtime's words are about a container that is over
        if ended.exit_code == _KILLED and (why := self.why_it_was_killed(at)):
            say(why)
        return ended

    @contextmanager
    def told_if_it_ended(self, at: There) -> Iterator[None]:
        """Where the container does not run any more, have the error tell its end.

        Raises NotStartedError: with the cluster's words, if it has some.
        """
        from agtool.core.kube.exec import NotRunningError

        try:
            yield
        except NotRunningError as error:
            raise NotStartedError(self._ended(at) or error.message) from error

    def why_it_was_killed(self, at: There) -> str:
        """The same for a command whose end has ended its container, where that was ours to end."""
        why = self.why_it_is_gone(at)
        return "" if why.endswith(WITH_ITS_SESSION) else why

    def why_it_is_gone(self, at: There) -> str:
        """What the cluster says about a container that ran; empty: that it still does."""
        return why_it_is_gone(self.session, self.path(at.pod), at.container, self.interrupts)

    def _ended(self, at: There) -> str:
        """Why the container has ended before the command began; empty: not so, or not known."""
        with suppress(AgtoolError):
            return problem_of(self.session, self.path(at.pod), at.container, self.interrupts)
        return ""

    def _warn(self, text: str) -> None:
        """Say something while the session runs, and the terminal may be in raw mode."""
        end = "\r\n" if self.attached.terminal else "\n"
        with suppress(OSError):
            os.write(
                2, f"{end if self.attached.terminal else ''}agtool: warning: {text}{end}".encode()
            )


def _afterwards(session: Session, pod: Made) -> str:
    """What becomes of the pod without us."""
    if pod.owner:
        return (
            f"job {pod.owner.name} owns the pod: within a minute after --ttl the cluster removes "
            "both, even if agtool is killed"
        )
    return (
        f"No job owns the pod: {pod.ownerless}\nIf agtool is killed, the pod ends nevertheless, "
        f"and is listed until `agtool debug {session.options} --cleanup`."
    )


def _farewell(session: Session, request: Request, pod: Made) -> str:
    until = datetime.now().astimezone() + timedelta(seconds=request.lifetime)
    return (
        f"pod {request.name} stays until {until:%Y-%m-%d %H:%M:%S %Z} (--ttl)\n"
        f"To open a shell in it again: agtool debug {session.options} --attach {request.name}\n"
        f"To remove it: kubectl {session.options} delete "
        f"pod{',job' if pod.owner else ''} {request.name}"
    )
