"""What all measurements work with: a server, databases, and each contestant's command line."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import Processes
from tests.servers.postgresql import PostgreSQL, find_postgresql

RECIPE = """\
BEGIN;
LOCK TABLE install_locks IN ACCESS EXCLUSIVE MODE{nowait};
\\! {command}
COMMIT;
"""

# The person's own databases and settings are no part of what is measured, PYTHONDONTWRITEBYTECODE
# among them: pip compiles agtool where it is installed, and here the first process does.
_FOREIGN = (
    *("AGTOOL_", "PG", "DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "POD_NAME", "LC_", "LANG"),
    "PYTHON",
)


@dataclass
class Stage:
    """One PostgreSQL, and what starts processes. database: the one that the processes are told."""

    server: PostgreSQL
    processes: Processes
    folder: Path
    database: str = "app"
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        """The URL of the database for libpq, and for agtool."""
        return self.server.url(self.database)

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of every process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        # The driver named, as an application of today would: agtool takes it too.
        url = self.url.replace("postgresql://", "postgresql+psycopg2://", 1)
        # A traceback, should agtool fail.
        return {**kept, "LC_ALL": "C.UTF-8", "DATABASE_URL": url, "AGTOOL_DEBUG": "1"}

    @property
    def number(self) -> int:
        """A number that was not given before."""
        return next(self._numbers)

    @contextmanager
    def new_database(self) -> Iterator[None]:
        """Inside, `database` is an empty one, but for the recipe's table."""
        before, self.database = self.database, f"bench_{self.number}"
        self.server.create_database(self.database, owner="app")
        try:
            self.create_recipe_table()
            yield
        finally:
            self.server.execute(f"DROP DATABASE {self.database} WITH (FORCE)")
            self.database = before

    def create_recipe_table(self) -> None:
        """Create install_locks beforehand: the recipe's own CREATE TABLE fails in a race."""
        self.rows("CREATE TABLE install_locks (); ALTER TABLE install_locks OWNER TO app; SELECT 1")

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a query gives, asked as superuser."""
        connection = self.server.connect(self.database)
        try:
            cursor = connection.cursor()
            cursor.execute(query, parameters or None)
            return list(cursor.fetchall())
        finally:
            connection.close()

    # -- the contestants' command lines ------------------------------------------------------

    def agtool(self, *arguments: str) -> list[str]:
        """The installed program, as users start it."""
        return [str(Path(sys.executable).with_name("agtool")), *arguments]

    def migrate_once(self, *arguments: str) -> list[str]:
        """`agtool migrate-once`; the URL is in the environment."""
        return self.agtool("migrate-once", *arguments)

    def recipe(self, command: str, *, nowait: bool = False) -> list[str]:
        """The recipe that circulates, as a psql script.

        nowait: mended as well as a script can be, with LOCK TABLE ... NOWAIT in a loop.
        """
        script = self.folder / f"recipe-{self.number}.sql"
        script.write_text(RECIPE.format(command=command, nowait=" NOWAIT" if nowait else ""))
        # psql itself: what Debian has on PATH is a wrapper in Perl that costs more than psql.
        psql = str(find_postgresql("psql"))
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}"]
        words = [psql, *options, self.url]
        loop = ["bash", "-c", 'until "$@"; do sleep 0.2; done', "bash"]
        return [*loop, *words] if nowait else words

    def flock(self, *command: str) -> list[str]:
        """The command under a locked file, which excludes on one host only."""
        return ["flock", str(self.folder / "flock"), *command]

    def python(self, code: str) -> list[str]:
        """The Python that agtool runs on."""
        return [sys.executable, "-c", code]

    def connect_and_select(self) -> list[str]:
        """The least that a Python program does with PostgreSQL."""
        return self.python(f"import psycopg2; {self.select}")

    @property
    def select(self) -> str:
        """Python code: one connection, one query."""
        return (
            f"c = psycopg2.connect({self.url!r}); k = c.cursor(); "
            "k.execute('SELECT 1'); k.fetchall(); c.close()"
        )
