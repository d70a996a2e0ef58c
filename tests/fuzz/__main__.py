"""Fuzzes targets, guided by coverage.

python -m tests.fuzz [--seconds SECONDS] [TARGET...]     (no TARGET: all)

SECONDS are for each target. What is found new is added to the corpus in the cache, and what fails
is written to build/fuzz as TARGET-crash-...: put it into tests/fuzz/corpus/TARGET, where `make
test` runs it.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.places import cache
from tests.fuzz.targets import names
from tests.programs import carry_out, voice
from tests.servers.process import ServerFailed
from tests.servers.versions import new_folder

_say = voice("fuzz")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCK = HERE / "requirements.txt"


def main() -> int:
    """Return the exit code: 1 if a target failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names()))
    parser.add_argument("--seconds", type=float, default=3, help="for each target (3)")
    options = parser.parse_args()
    chosen = options.targets or names()
    if unknown := sorted(set(chosen) - set(names())):
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(names())}")
    try:
        packages = atheris()
    except ServerFailed as error:
        _say(f"atheris cannot be installed: {error}")
        return 1
    failed = [name for name in chosen if not fuzz(name, options.seconds, packages)]
    if failed:
        _say(f"failed: {', '.join(failed)}; see build/fuzz")
    return int(bool(failed))


def atheris() -> Path:
    """A folder with the fuzzer, in the cache. Raises ServerFailed."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    digest = hashlib.sha256(f"{version}\0".encode() + LOCK.read_bytes()).hexdigest()
    place = cache().with_name("fuzz") / f"atheris-{digest[:12]}"
    with new_folder(place) as made:
        if made is not None:
            _say("waiting for PyPI: atheris (half a minute)")
            uv = Path(sys.executable).with_name("uv")
            argv: list[str | Path] = [uv, "pip", "install", "--no-config", "--quiet"]
            argv += ["--python", sys.executable, "--target", made]
            argv += ["--require-hashes", "--requirement", LOCK]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ServerFailed(done.stderr.strip())
    return place


def fuzz(name: str, seconds: float, packages: Path) -> bool:
    """Fuzz one target; whether nothing failed."""
    corpus = cache().with_name("fuzz") / "corpus" / name
    kept, found = HERE / "corpus" / name, ROOT / "build/fuzz"
    for folder in (corpus, kept, found):
        folder.mkdir(parents=True, exist_ok=True)
    argv: list[str | Path] = [sys.executable, "-m", "tests.fuzz.run", name, corpus, kept]
    argv += [f"-max_total_time={seconds:.0f}", f"-artifact_prefix={found}/{name}-"]
    argv += ["-max_len=8192", "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1"]
    began = time.monotonic()
    path = os.pathsep.join(map(str, (packages, ROOT)))
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "XDG_DATA_HOME": str(corpus.parent / "data")},
        stdout=subprocess.PIPE,  # Python's traceback goes there
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    told = dict(re.findall(r"stat::(\w+):\s*(\d+)", done.stdout))
    runs, took = int(told.get("number_of_executed_units", 0)), time.monotonic() - began
    state = "passed" if done.returncode == 0 else "FAILED"
    _say(f"{name:<18} {state}  {runs:>10,} executions in {took:.0f} s")
    if done.returncode:
        lines = done.stdout.splitlines()
        begins = next((n for n, line in enumerate(lines) if "Traceback" in line), -40)
        sys.stderr.write("\n".join(lines[begins:]) + "\n")
    return done.returncode == 0


if __name__ == "__main__":
    carry_out(main, _say)
