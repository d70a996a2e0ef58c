"""Who finds its key done is one of hundreds of pods that start: it imports what it needs."""

import os
import subprocess
import sys

from tests.e2e.conftest import Agtool

RUN = ("migrate-once", "--key", "k", "--", "true")

SLOW = {
    *("sqlalchemy", "rich", "pydantic", "yaml", "json.tool", "concurrent.futures", "asyncio"),
    "agtool.core.finding",
    "agtool.core.process.command",
    "agtool.core.process.keeper",
    "agtool.core.process.tree",
    "agtool.migrate_once.documents",
    "agtool.migrate_once.findings",
    "agtool.migrate_once.leftovers",
    "agtool.migrate_once.supervise",
    "agtool.migrate_once.url.schemes",
    "agtool.migrate_once.url.table",
    *(f"agtool.migrate_once.engines.postgresql.{name}" for name in ("lock", "observe", "signs")),
    "agtool.migrate_once.engines.mysql.lock",
}
OF_SQLITE = {"agtool.core.finding"}
"""Its lock is a file, which is no reason for a module of its own to be imported late."""

# A NamedTuple compiles postponed annotations one by one: 40 of ours took a twentieth of the start.
CODE = """
import sys, typing
texts = []
init = typing.ForwardRef.__init__
def counted(self, text, *args, **settings):
    caller, depth = sys._getframe(1), 1
    while caller.f_code.co_filename.endswith(("/typing.py", "/inspect.py")):
        caller = caller.f_back
    if "/agtool/migrate_once/" in caller.f_code.co_filename:
        texts.append(text)
    init(self, text, *args, **settings)
typing.ForwardRef.__init__ = counted
from agtool.app import main
code = main()
print("MODULES", len(texts), *sys.modules)
sys.exit(code)
"""


def test_what_a_done_key_imports(agtool: Agtool, url: str) -> None:
    assert agtool.run(*RUN, url=url).exit_code == 0
    done = subprocess.run(
        [sys.executable, "-c", CODE, *RUN],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "key k is already done" in done.stderr
    compiled, *modules = done.stdout.rpartition("MODULES ")[2].split()
    allowed = OF_SQLITE if url.startswith("sqlite") else set()
    slow = (SLOW - allowed) & set(modules)
    assert not slow
    assert int(compiled) <= 35
    assert len([name for name in modules if name.startswith("agtool.")]) <= 55
