"""Asking an agtool in a container for what `--status` shows."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agtool.core.command import VERSION
from agtool.core.errors import CANNOT_EXECUTE, NOT_FOUND, AgtoolError, UnreachableError
from agtool.core.kube.errors import ForbiddenError
from agtool.core.kube.exec import NotRunningError, run
from agtool.core.kube.retry import backoff
from agtool.core.text import read_json
from agtool.migrate_once.cluster.container import LIKE_RUNNING, Candidate
from agtool.migrate_once.documents import Key, Run, Status

if TYPE_CHECKING:
    from agtool.core.kube.exec import Printed
    from agtool.core.kube.session import Session

_DATABASE = 10
"""Seconds for which the agtool there may try to reach its database."""

_ANSWER = 40.0
"""Seconds for the whole answer: a container with a tenth of a core starts agtool in five."""

_CUT = 5.0
"""Seconds for which connections that are cut at once are made anew."""

_MISSING = (CANNOT_EXECUTE, NOT_FOUND)


class NoAnswerError(UnreachableError):
    """What was asked gives no answer that helps."""

    code = "no-answer"


class NoAgtoolError(NoAnswerError):
    """There is no agtool in the container, or none runs there."""

    code = "no-agtool"


class TooOldError(NoAnswerError):
    """The agtool there is another version than ours, and answers otherwise."""

    code = "too-old"


class RemoteError(AgtoolError):
    """The agtool there has answered with an error, which is passed on."""


def ask(session: Session, path: str, pod: str, candidate: Candidate, limit: int) -> Status:
    """What the agtool in a container says.

    Args:
        path: of the namespace's pods in the API.
        limit: how many runs that have ended.

    Raises:
        NoAgtoolError, TooOldError, NoAnswerError
        RemoteError: it could not look: its database cannot be reached, say.
        ForbiddenError, UnreachableError and others: as core.kube.exec.run.
    """
    own = [f"--limit={limit}", f"--connect-timeout={_DATABASE}s", "--output=json"]
    where = f"container {candidate.container} of pod {pod}"
    for command in candidate.commands(own):
        try:
            printed = _run_there(session, f"{path}/{pod}", candidate.container, command)
        except ForbiddenError as error:
            # Where only `create` is missing, the API server gives no reason (1.37).
            raise ForbiddenError(
                f"no command may be run in {where}: {error.message.rstrip(': ')}",
                hint="The rights that it takes: add --print-rbac to this command.",
            ) from error
        except NotRunningError as error:
            raise NoAnswerError(f"{where} does not run any more") from error
        if printed.ended.exit_code in _MISSING and printed.ended.message:
            continue
        return read_answer(printed, where, like_running=LIKE_RUNNING in candidate.options)
    tried = ", ".join(" ".join(program) for program in candidate.programs)
    raise NoAgtoolError(f"no agtool was found in {where}; tried: {tried}")


def _run_there(session: Session, pod: str, container: str, command: Sequence[str]) -> Printed:
    """What a command prints that only looks; so it is tried again where a connection was cut."""
    began = time.monotonic()
    for attempt in itertools.count():
        try:
            return run(session, pod, container, command, timeout=_ANSWER)
        except UnreachableError:
            pause = backoff(attempt)
            if time.monotonic() + pause > began + _CUT:
                raise
            time.sleep(pause)
    raise AssertionError


def read_answer(printed: Printed, where: str, *, like_running: bool) -> Status:
    """The status in what an agtool has printed. Raises as `ask`."""
    if printed.ended.message:
        raise NoAnswerError(f"no command can be run in {where}: {printed.ended.message}")
    try:
        found: Any = read_json(printed.stdout)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise _no_document(printed, where)
    errors = found.get("errors")
    if errors and isinstance(errors, list):
        raise _passed_on(errors[0], found, where, like_running=like_running)
    try:
        return _status(found["data"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_document(printed, where) from error


def _no_document(printed: Printed, where: str) -> NoAnswerError:
    lines = printed.stderr.decode(errors="replace").strip().splitlines()
    said = f": {lines[0][:300]}" if lines else ""
    return TooOldError(
        f"the agtool in {where} gives no answer that this one understands (exit code "
        f"{printed.ended.exit_code}){said}",
        hint="It may be too old, or too new. Use the same version here and there.",
    )


def _passed_on(
    error: Mapping[str, Any], document: Mapping[str, Any], where: str, *, like_running: bool
) -> AgtoolError:
    message = str(error.get("message", ""))
    if like_running and error.get("code") == "usage" and LIKE_RUNNING in message:
        return TooOldError(
            f"the agtool in {where} is too old to be asked: its command does not stand in the "
            f"pod's specification, and it does not know {LIKE_RUNNING}",
            hint="Install a newer one there.",
        )
    if error.get("code") == "not-running":
        return NoAgtoolError(f"no agtool migrate-once runs in {where}")
    made = RemoteError(f"the agtool in {where} says: {message}", hint=str(error.get("hint", "")))
    made.code = str(error.get("code") or "remote")
    code = document.get("exit_code")
    # Usage and the wrapper's own code would be taken for ours here.
    made.exit_code = code if code in (1, 3, 4, 5) else 4
    return made


def _status(data: Mapping[str, Any]) -> Status:
    """The document's data as the type that it was; what a newer version adds is left out.

    Raises KeyError, TypeError, ValueError, AttributeError if it is not.
    """
    waiting, key = data["waiting"], data.get("key")
    return Status(
        lock=str(data["lock"]),
        held=bool(data["held"]),
        now=datetime.fromisoformat(data["now"]),
        running=[_run(each) for each in data["running"]],
        waiting=None if waiting is None else [_run(each) for each in waiting],
        history=[_run(each) for each in data["history"]],
        key=None if key is None else Key(**{one.name: key[one.name] for one in fields(Key)}),
    )


def _run(data: Mapping[str, Any]) -> Run:
    values = {one.name: data[one.name] for one in fields(Run)}
    for name in ("waiting_since", "started_at", "finished_at"):
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name])
    return Run(**values)
