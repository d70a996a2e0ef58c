"""One session, from its start until nothing of it is left."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

from tests.cluster.api import Refused
from tests.e2e.conftest import clean_environment
from tests.e2e.debug.chaos.choice import UP, Choice
from tests.e2e.debug.chaos.faults import FAULTS
from tests.e2e.debug.chaos.started import Started
from tests.e2e.debug.chaos.verdict import GRACE, LATER, RECOVERY, Outcome
from tests.e2e.debug.chaos.watcher import EVERY, Seen
from tests.e2e.debug.chaos.world import World, insist
from tests.servers.proxy import TcpProxy

PATIENCE = 200.0
"""Seconds, besides its lifetime, in which agtool must end."""

_SOON = 8.0
"""Seconds for what agtool has deleted to be gone."""

_QUIET = 3 * EVERY
"""Seconds without a sign of a process after which it is over."""


class Session:
    """A session that was chosen, in the world of all.

    Attributes:
        facts: what befell it.
        kept: the pod that was kept before, for --attach.
        target: the pod to be beside.
    """

    def __init__(self, world: World, choice: Choice) -> None:
        self.world = world
        self.choice = choice
        self.facts: set[str] = set()
        self.proxy: TcpProxy | None = None
        self.kept = ""
        self.target = ""
        self.before = ""
        self.cleaned = False
        self._typed = choice.streams != "shell"
        self._began = time.monotonic()
        self._notes: list[tuple[float, str]] = []
        self._blind = world.watcher.blind
        self._recovering = self._began - world.watcher.blind_at < RECOVERY

    @property
    def name(self) -> str:
        """Of its pod or container; empty: there is none yet, as far as anybody knows."""
        if self.kept:
            return self.kept
        found = re.search(r"\b(?:pod|container|job) (debug-[a-z0-9]{6})\b", self.agtool.text)
        return found[1] if found else self.world.watcher.of_process(self.agtool.identity)

    @property
    def pod(self) -> str:
        """The pod that it is in; empty: not known yet."""
        return self.target or self.name

    @property
    def pod_path(self) -> str:
        namespace = self.world.namespaces[self.choice.jobs]
        return f"/api/v1/namespaces/{namespace}/pods/{self.pod}"

    @property
    def seen(self) -> Seen:
        name = self.name
        return self.world.watcher.seen(name) if name else Seen()

    def note(self, text: str) -> None:
        """Remember what happens now."""
        self._notes.append((time.monotonic() - self._began, text))

    def perform(self) -> None:
        """Start agtool, let the fault happen, and return when agtool has ended."""
        fault = FAULTS[self.choice.fault]
        with ExitStack() as stack:
            stack.enter_context(self.world.takes_part(self.facts))
            if fault.proxied:
                server = urlsplit(self.world.cluster.url)
                target = (server.hostname or "", server.port or 443)
                self.proxy = stack.enter_context(TcpProxy(*target))
            lives = self.choice.chance("lives").uniform(*fault.lives) if fault.lives else None
            if lives is not None:
                self.facts.add(fault.name)
            name = f"chaos-{self.choice.number}"
            self.login = self.world.log_in(self.choice.jobs, name, proxy=self.proxy, lives=lives)
            if self.choice.way == "beside":
                self.target = stack.enter_context(self._a_target())
            if self.choice.way == "attach" and not self._keep():
                return
            self.agtool = self._start()
            stack.callback(self.agtool.kill)
            self.note(f"agtool starts, pid {self.agtool.process.pid}")
            self._strike()
            self._until(lambda: False, PATIENCE + self.choice.ttl)
            self.note(f"agtool has ended: {self.agtool.code}")
            if self.target:
                self._until_over()

    def settle(self) -> Outcome:
        """Return when nothing of it is left, or it has been for too long."""
        choice, watcher = self.choice, self.world.watcher
        ended = self.agtool.ended or time.monotonic()
        # Of what was made just before its end nobody may know yet.
        _wait(lambda: watcher.looked > ended + 1, _SOON)
        if not self._gone(_SOON):
            if choice.jobs:
                # Longer, so that it can be said for how long it was left.
                self._gone(self._deadline - time.monotonic() + LATER + 2 * RECOVERY)
            else:
                if choice.patient or choice.way in {"keep", "attach"}:
                    self._gone(self._deadline - time.monotonic() + GRACE)
                if self.seen.objects:
                    self._clean_up()
                    self._gone(LATER)
        self._until_over()
        seen = self.seen
        began = min(filter(None, (seen.made, seen.ran)), default=ended)
        if watcher.blind > self._blind:  # nobody saw when it was made
            began = self._began
        if ended > began + choice.ttl - 3:
            self.facts |= {"ttl"} if choice.jobs else {"ttl", "cleanup"}
        return Outcome(
            facts=frozenset(self.facts),
            code=self.agtool.code,
            text=self.agtool.text,
            own=choice.code if choice.ends_by_itself else None,
            ttl=choice.ttl,
            jobs=choice.jobs,
            made=seen.made,
            gone=seen.gone,
            ran=seen.ran,
            ran_last=seen.ran_last,
            ended=ended,
            blind=watcher.blind - self._blind,
            recovering=self._recovering,
            cleaned=self.cleaned,
        )

    def describe(self) -> str:
        """All that is known about it."""
        lines = [f"  {at:8.3f}  {text}" for at, text in self._notes]
        seen = self.seen
        times = {"made": seen.made, "ran": seen.ran, "ran last": seen.ran_last, "gone": seen.gone}
        lines += [f"  {at - self._began:8.3f}  {what}" for what, at in times.items() if at]
        lines += [f"  | {line}" for line in (self.before + self.agtool.text).splitlines()[-40:]]
        return "\n".join([f"  {self.name}: {', '.join(sorted(self.facts))}", *lines])

    @property
    def _deadline(self) -> float:
        """When its lifetime is over."""
        return (self.seen.made or time.monotonic()) + self.choice.ttl

    def _start(self) -> Started:
        choice = self.choice
        words = [] if choice.streams == "shell" else ["--", "sh", "-c", choice.script]
        if choice.way == "attach":
            argv = self._argv("--attach", self.kept)
        else:
            argv = self._argv("--ttl", f"{choice.ttl}s")
            argv += ["--target", f"pod/{self.target}"] if self.target else []
            argv += ["--keep"] if choice.way == "keep" else []
            argv += ["--memory", "32Mi"] if choice.fault == "oom" else []
        text = b"one line\n" * 2000 if choice.streams == "pipe" else None
        return Started([*argv, *words], self._env, terminal=choice.on_terminal, text=text)

    def _keep(self) -> bool:
        """Make the pod to attach to; whether that could be done."""
        self.agtool = Started(self._argv("--ttl", f"{self.choice.ttl}s", "--keep"), self._env)
        self._until(lambda: False, PATIENCE)
        self.before = self.agtool.text
        if self.agtool.code == 0:
            self.kept = self.name
        self.note(f"pod {self.kept or '?'} is kept: {self.agtool.code}")
        return bool(self.kept)

    def _argv(self, *words: str) -> list[str]:
        namespace = self.world.namespaces[self.choice.jobs]
        return [sys.executable, "-m", "agtool", "debug", "-n", namespace, *words]

    @property
    def _env(self) -> dict[str, str]:
        image = self.world.cluster.images.bash
        own = {"KUBECONFIG": str(self.login.kubeconfig), "AGTOOL_DEBUG_IMAGE": image}
        return clean_environment({"TERM": "xterm", **own})

    def _strike(self) -> None:
        choice = self.choice
        if choice.moment == "made":
            self._until(lambda: bool(self.target or self.seen.made))
        elif choice.moment in {"up", "end"}:
            self._until(lambda: UP in self.agtool.text)
            if choice.moment == "end":
                self._until(lambda: False, choice.seconds)
        self._until(lambda: False, choice.delay)
        self.note(f"{choice.fault} strikes")
        # Before it does: what comes of it may be there sooner.
        self.facts.add(choice.fault)
        if FAULTS[choice.fault].strike(self, choice.chance("fault")):
            self.note(f"{choice.fault} has struck")
        else:
            self.facts.discard(choice.fault)
            self.note(f"{choice.fault} came too late")

    def _until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Return when it is, agtool has ended, or the time is over; answer the shell's prompt."""
        give_up = time.monotonic() + seconds
        while not true() and self.agtool.code is None and time.monotonic() < give_up:
            if not self._typed and re.search(r"\$ $", self.agtool.text):
                self._typed = True
                self.agtool.type(f"{self.choice.script}\r")
            time.sleep(0.03)

    def _gone(self, seconds: float) -> bool:
        """Whether none of its objects is left, at the latest after so many seconds."""
        _wait(lambda: not self.seen.objects, seconds)
        return not self.seen.objects

    def _until_over(self) -> None:
        """Return when no process of it runs, or it has run too long."""
        seconds = self.seen.ran + self.choice.ttl + GRACE - time.monotonic() + 5
        _wait(lambda: time.monotonic() - self.seen.ran_last > _QUIET, seconds)

    def _clean_up(self) -> None:
        """As its user would, with a new login."""
        self.cleaned = True
        name = f"chaos-{self.choice.number}-cleanup"
        self.login = self.world.log_in(self.choice.jobs, name, proxy=None)
        done = subprocess.run(
            self._argv("--cleanup", "-o", "name"),
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.note(f"--cleanup: {done.returncode} {done.stdout.split()} {done.stderr}")

    @contextmanager
    def _a_target(self) -> Iterator[str]:
        """A pod to be beside, which runs."""
        name = f"target-{self.choice.number}"
        api = self.world.api
        path = f"/api/v1/namespaces/{self.world.namespaces[self.choice.jobs]}/pods"
        image = self.world.cluster.images.busybox
        container = {"name": "main", "image": image, "securityContext": {"runAsUser": 1000}}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
        body = {"metadata": {"name": name}, "spec": spec}

        def runs() -> bool:
            try:
                pod = insist(lambda: api.get(f"{path}/{name}"))
            except Refused:  # it is not made yet, or was evicted
                with suppress(Refused):  # it is going still
                    insist(lambda: api.post(path, body))
                return False
            ready = pod["status"]["phase"] == "Running"
            return ready and "deletionTimestamp" not in pod["metadata"]

        try:
            _wait(runs)
            yield name
        finally:
            with suppress(Refused):  # it is gone
                insist(lambda: api.delete(f"{path}/{name}", {"gracePeriodSeconds": 0}))


def _wait(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    give_up = time.monotonic() + seconds
    while not true() and time.monotonic() < give_up:
        time.sleep(EVERY / 2)
