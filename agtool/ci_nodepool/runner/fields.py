"""The fields of a ConfigMap that agtool changes stay nobody's: their owner applies them again.

Helm 4 applies on the server, where a field that another manager has changed is a conflict: every
later upgrade fails, and so does the rollback. So agtool takes its entry out of managedFields. When
the data was changed, which `plan.stale_pods` has to know, is kept in agtool's own annotation.
"""

from __future__ import annotations

import json
from typing import Any

from agtool.ci_nodepool.model import RECORD
from agtool.core.kube.errors import ConflictError
from agtool.core.kube.session import Json, Session

MANAGER = "agtool"
"""The field manager of all that agtool writes."""

_TRIES = 30
"""Conflicts in a row before we give up."""


def disown(session: Session, path: str, written: Json) -> Json:
    """Give up the data of a ConfigMap that agtool has written; the ConfigMap as it is then.

    Raises what Session raises; ConflictError if somebody else changes it all the time.
    """
    for _ in range(_TRIES):
        patch = release(written)
        if patch is None:
            return written
        try:
            return session.patch(path, patch, fieldManager=MANAGER)
        except ConflictError:
            written = session.get(path)
    raise ConflictError(f"somebody else changes {path} all the time")


def release(config_map: Json) -> Json | None:
    """The patch with which the data is no longer agtool's; None: it is not."""
    metadata = config_map["metadata"]
    entries: list[Any] = metadata.get("managedFields") or []
    ours = [
        entry
        for entry in entries
        if entry.get("manager") == MANAGER and "f:data" in (entry.get("fieldsV1") or {})
    ]
    if not ours:
        return None
    kept = [entry for entry in entries if entry not in ours]
    # An empty list would leave them as they are; one empty entry is none.
    made: Json = {
        "resourceVersion": metadata["resourceVersion"],
        "managedFields": kept or [{}],
    }
    record = (metadata.get("annotations") or {}).get(RECORD)
    if record:
        changed = max(entry.get("time", "") for entry in ours)
        made["annotations"] = {RECORD: _with_time(record, changed)}
    return {"metadata": made}


def _with_time(record: str, changed: str) -> str:
    value = json.loads(record)
    return json.dumps({**value, "changed": changed}, separators=(",", ":"))
