"""`--check`: whether it would work, and what would happen to COMMAND now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError, UsageError
from agtool.core.finding import Finding
from agtool.core.text import printable, some
from agtool.migrate_once.backend import Exhausted
from agtool.migrate_once.documents import Check
from agtool.migrate_once.exhausted import HINT, reason

if TYPE_CHECKING:
    from agtool.core.output import View
    from agtool.migrate_once.backend import Backend
    from agtool.migrate_once.model import Attempt


def check(open_port: Callable[[], Backend], attempt: Attempt) -> Check:
    """What would stand in the way; takes no lock and changes nothing.

    Raises:
        UsageError: the command line makes no sense.
    """
    found = Check(None, None, None, None, [], [], [])
    try:
        port = open_port()
        found = Check(port.lock_name, None, None, None, [], [], _of_url(port))
        found = _survey(port, found)
        if not found.problems:
            found = _foresee(port, attempt, found)
    except UsageError:
        raise
    except AgtoolError as error:
        found.problems.append(error.finding())
    return found


def _of_url(port: Backend) -> list[Finding]:
    """What is said on stderr before a run, too."""
    return [Finding("database", warning) for warning in port.warnings]


def _survey(port: Backend, found: Check) -> Check:
    server, creates, problems, warnings = port.survey()
    return replace(
        found,
        server=server,
        creates=creates,
        problems=problems,
        warnings=[*found.warnings, *warnings],
    )


def _foresee(port: Backend, attempt: Attempt, found: Check) -> Check:
    """What would happen to COMMAND now, given that agtool itself would work."""
    status = port.status(1, attempt if attempt.key else None)
    if (key := status.key) is not None and key.done:
        return replace(found, would="already-done")
    if key is not None and attempt.attempts is not None and key.failures >= attempt.attempts:
        why = reason(Exhausted(key.failures, key.failed_on or "", key.failed_with), key.key)
        problem = Finding("attempts-exhausted", why, HINT)
        return replace(found, would="attempts-exhausted", problems=[problem])
    if status.held:
        return replace(found, would="wait", holder=next(iter(status.running), None))
    if status.running:
        places = some([run.place for run in status.running])
        warning = Finding(
            "previous-run",
            f"a previous run ({places}) has not recorded its end: COMMAND would start when that "
            "is dead for certain, within half a minute if it had the usual --kill-grace",
        )
        found.warnings.append(warning)
    return replace(found, would="run")


def view(found: Check, key: str | None) -> View:
    """What was found, line by line."""
    if found.lock is not None:
        yield printable(f"lock: {found.lock}")
    if (server := found.server) is not None:
        account = f", as {server.account}" if server.account else ""
        yield printable(f"server: {server.product} {server.version}{account}")
        if server.account:  # else there is no connection
            yield printable(f"pooler: {server.pooler or 'none found'}")
        yield printable(f"would create: {', '.join(found.creates) or 'nothing'}")
    for kind, findings in (("problem", found.problems), ("warning", found.warnings)):
        for finding in findings:
            yield printable(f"{kind}: {finding.message}")
            yield from (f"  {printable(line)}" for line in finding.hint.splitlines())
    yield printable(_verdict(found, key))


def _verdict(found: Check, key: str | None) -> str:
    holder = found.holder.place if found.holder else "a holder that is not known"
    return {
        "run": "COMMAND would run now",
        "wait": f"COMMAND would wait for {holder}",
        "already-done": f"key {key} is done: COMMAND would not run, with exit code 0",
        "attempts-exhausted": "COMMAND would not run: exit code 125",
    }.get(found.would or "", "COMMAND would not run: agtool would fail")
