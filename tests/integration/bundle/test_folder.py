"""The folder where nothing else is: an empty root that cannot be written to, any user, runc."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression

from agtool import __version__
from tests.conftest import Database
from tests.integration.bundle.conftest import Root

MIGRATE = ("/agtool/agtool", "migrate-once", "--log-format", "json")


def test_runs_a_command_once_in_an_empty_root(root: Root, database: Database) -> None:
    argv = (*MIGRATE, "--key", "1", "--", "/busybox", "echo", "migrated")
    given = {"DATABASE_URL": database.url}
    first, second = root.run(*argv, env=given), root.run(*argv, env=given)
    assert (first.returncode, first.stdout) == (0, "migrated\n"), first.stderr
    assert (second.returncode, second.stdout) == (0, ""), second.stderr


def test_the_command_inherits_nothing_of_the_folder(root: Root, database: Database) -> None:
    given = {
        "DATABASE_URL": database.url,
        "LD_PRELOAD": "/lib/libjemalloc.so.2",
        "LD_DEBUG": "files",
        "PYTHONHOME": "/usr",
        "PYTHONPATH": "/app",
        "LANG": "xx_XX",
    }
    done = root.run(*MIGRATE, "--", "/busybox", "env", env=given)
    assert done.returncode == 0, done.stderr
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert seen.pop("PGAPPNAME").startswith("agtool:")
    # runc gives HOME to a user who has none.
    seen.pop("HOME", None)
    assert seen == given


def test_no_descriptor_of_the_command_leads_into_the_folder(root: Root, database: Database) -> None:
    done = root.run(
        *(*MIGRATE, "--", "/busybox", "ls", "-l", "/proc/self/fd"),
        env={"DATABASE_URL": database.url},
    )
    assert done.returncode == 0, done.stderr
    targets = re.findall(r" -> (\S+)", done.stdout)
    assert len(targets) >= 3
    assert [target for target in targets if target.startswith("/agtool")] == []


def test_a_missing_command_is_127(root: Root, database: Database) -> None:
    done = root.run(*MIGRATE, "--", "sh", "-c", "true", env={"DATABASE_URL": database.url})
    assert done.returncode == 127
    assert "sh" in done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ("ci-nodepool", "status"),
        ("debug", "--list"),
        ("le-staging", "verify", "localhost"),
        ("migrate-once", "status", "deploy/shop"),
        ("migrate-once", "inject", "/none.yaml"),
    ],
)
def test_what_it_lacks_is_said(root: Root, argv: tuple[str, ...]) -> None:
    done = root.run("/agtool/agtool", *argv)
    assert done.returncode == 2, done.stderr
    assert " ".join(argv[:1]) in done.stderr
    assert "agtool-full" in done.stderr


def test_it_completes_words(root: Root) -> None:
    asked = {"_AGTOOL_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    line = {"_TYPER_COMPLETE_ARGS": "agtool migr"}
    done = root.run("/agtool/agtool", env={**asked, **line})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("migrate-once\t")


def test_it_is_as_small_as_promised(bundle: Path) -> None:
    assert sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) < 60e6


def test_what_is_inside_can_be_checked_with_the_tools_of_an_image(root: Root) -> None:
    script = "cd /agtool && /busybox sha256sum -c lib/SHA256SUMS"
    done = root.run("/busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    found = root.run("/busybox", "find", "/agtool", "-type", "f").stdout.splitlines()
    listed = [line.removeprefix("/agtool/") for line in found]
    checked = [line.removesuffix(": OK") for line in done.stdout.splitlines()]
    assert sorted([*checked, "lib/SHA256SUMS"]) == sorted(listed)


def test_everything_inside_is_listed_with_a_licence(bundle: Path) -> None:
    document = json.loads((bundle / "lib/contents.cdx.json").read_text())
    assert document["metadata"]["component"]["version"] == __version__
    components = document["components"]
    libraries = [inner for one in components for inner in one.get("components", ())]
    assert libraries
    for one in (*components, *libraries):
        (licence,) = one["licenses"]
        assert canonicalize_license_expression(licence["expression"]) == licence["expression"]


def test_nothing_is_of_this_machine(bundle: Path) -> None:
    """Neither a path of the machine that made it, nor a time."""
    here = str(Path(__file__).resolve().parents[3])
    assert subprocess.run(["grep", "-rl", here, bundle], check=False).returncode == 1
    assert {path.stat().st_mtime for path in bundle.rglob("*") if path.is_file()} == {0.0}
