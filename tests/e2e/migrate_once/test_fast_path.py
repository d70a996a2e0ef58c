"""Who finds its key done is one of hundreds of pods that start: it imports what it needs."""

import os
import subprocess
import sys

from tests.e2e.conftest import Agtool

RUN = ("migrate-once", "--key", "k", "--", "true")

SLOW = {
    *("sqlalchemy", "rich", "pydantic", "yaml", "json.tool", "concurrent.futures", "asyncio"),
    *("dataclasses", "logging"),
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
ALLOWED = {
    # Its lock is a file, which is no reason for a module of its own to be imported late.
    "sqlite": {"agtool.core.finding", "dataclasses"},
    "mysql": {"dataclasses"},  # by cryptography, which PyMySQL imports
}

# NamedTuple and Typer compile postponed annotations one by one: 40 of ours took a twentieth of the
# start.
CODE = """
import importlib.util, sys, typing
texts = []
init = typing.ForwardRef.__init__
def counted(self, text, *args, **settings):
    caller, depth = sys._getframe(1), 1
    while caller.f_code.co_filename.endswith(("/typing.py", "/inspect.py")):
        caller = caller.f_back
    if agtool in caller.f_code.co_filename:
        texts.append(text)
    init(self, text, *args, **settings)
typing.ForwardRef.__init__ = counted
agtool = importlib.util.find_spec("agtool").submodule_search_locations[0]
from agtool.__main__ import main
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
    slow = (SLOW - ALLOWED.get(url.partition(":")[0].partition("+")[0], set())) & set(modules)
    assert not slow
    assert int(compiled) <= 35
    assert len([name for name in modules if name.startswith("agtool.")]) <= 55
