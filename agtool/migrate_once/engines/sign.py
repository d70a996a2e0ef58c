"""The sign of a run in a database that is still empty, where a table of ours would be seen.

It stands where no migration tool looks, for the time of that run; each engine knows its place.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.text import read_json
from agtool.migrate_once.model import Attempt, End, Unfinished

if TYPE_CHECKING:
    from agtool.migrate_once.documents import Run

_MARK = "agtool migrate-once "
_LONGEST = 200


class Sign(NamedTuple):
    """A run that has begun.

    Attributes:
        lock: what its lock is called.
        started_at: by the server's clock.
        sessions: the server's sessions that its command has, as in the runs table.
        failed: how often its key had failed before. Who runs it keeps their records meanwhile, in
            memory: they are gone if all its processes are killed at once.
    """

    lock: str
    run_id: str
    name: str
    key: str | None
    place: str
    patience: float
    started_at: str
    sessions: str = ""
    failed: int = 0

    @classmethod
    def of(cls, lock: str, attempt: Attempt, patience: float, now: datetime, failed: int) -> Sign:
        """The sign of an attempt that begins; its texts are cut to what there is room for."""
        key = None if attempt.key is None else attempt.key[:_LONGEST]
        name, place = attempt.name[:_LONGEST], attempt.place[:_LONGEST]
        return cls(
            *(lock, attempt.run_id, name, key, place, patience, now.isoformat()), failed=failed
        )

    @classmethod
    def parse(cls, text: str) -> Sign | None:
        """What `str` has made; None: somebody else did."""
        if not text.startswith(_MARK):
            return None

        try:
            return cls(**read_json(text[len(_MARK) :]))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        import json

        return _MARK + json.dumps(self._asdict(), ensure_ascii=False)

    def unfinished(self) -> Unfinished:
        """As a run that may still be dying."""
        return Unfinished(self.run_id, self.place, self.patience)

    def attempt(self) -> Attempt:
        """The attempt whose run it is."""
        return Attempt(self.name, self.key, self.place, self.run_id)

    def lost(self, now: datetime, exit_code: int | None, *, counts: bool) -> End:
        """The end of the run, if that could not record it by itself."""
        ran = max(0.0, (now - datetime.fromisoformat(self.started_at)).total_seconds())
        return End("lost", exit_code, 0.0, ran, counts)

    def run(self, now: datetime) -> Run:
        """As a run, for people."""
        from agtool.migrate_once.documents import Run

        started = datetime.fromisoformat(self.started_at)
        seconds = max(0.0, (now - started).total_seconds())
        return Run(
            *(self.run_id, self.name, self.key, self.place, "running"),
            waiting_since=None,
            started_at=started,
            finished_at=None,
            seconds=seconds,
            exit_code=None,
        )
