"""The debug pods that there are, or that were removed, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agtool.core.output import Format, document, print_json, print_table, say
from agtool.debug.model import Job
from agtool.debug.pod.leftovers import Leftover, clean_up, leftovers
from agtool.debug.run import session_of


def show_leftovers(job: Job, cleanup: bool, output: Format) -> int:
    """Print the debug pods of the namespace, or those that were removed."""
    with session_of(job) as session:
        found = (clean_up if cleanup else leftovers)(session, session.namespace)
        place = f"namespace {session.namespace} of context {session.context}"
    if output is Format.json:
        print_json(document("debug", data={"pods": [as_data(one) for one in found]}))
    elif found:
        if cleanup:
            say(f"removed from {place}:")
        _print(found)
    else:
        say(f"nothing to remove in {place}" if cleanup else f"no debug pods in {place}")
    return 0


def as_data(one: Leftover) -> dict[str, object]:
    """A pod for programs."""
    return {
        "name": one.name,
        "namespace": one.namespace,
        "uid": one.uid,
        "state": one.state,
        "kept": one.kept,
        "made_by": one.maker,
        "image": one.image,
        "node": one.node,
        "created_at": one.created.isoformat(),
        "ends_at": one.ends.isoformat() if one.ends else None,
    }


def _print(found: Sequence[Leftover]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("NAME", "STATE", "KEPT", "MADE BY", "NODE", "IMAGE", "CREATED", "ENDS"):
        table.add_column(title)
    for one in found:
        table.add_row(
            one.name,
            one.state,
            "yes" if one.kept else "",
            Text(one.maker),
            one.node,
            Text(one.image),
            _local(one.created),
            _local(one.ends),
        )
    print_table(table)


def _local(moment: datetime | None) -> str:
    """With its day: what is kept may end tomorrow."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else ""
