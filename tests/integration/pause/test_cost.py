"""What pause costs while it waits, and what kind of file it is."""

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from agtool.pause import ARCHITECTURES
from tests.conftest import needed
from tests.integration.pause.conftest import ROOT
from tests.integration.pause.namespace import first_process, ready
from tests.servers.process import find_program

# <elf.h>
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
PF_X, PF_W = 1, 2
ET_EXEC = 2

# class (bits), byte order, machine
KINDS = {
    "amd64": (64, "<", 62),
    "arm64": (64, "<", 183),
    "arm": (32, "<", 40),
    "riscv64": (64, "<", 243),
    "ppc64le": (64, "<", 21),
    "s390x": (64, ">", 22),
}

QEMU = {"amd64": "x86_64", "arm64": "aarch64"}


class Segment(NamedTuple):
    kind: int
    flags: int


def read_elf(content: bytes) -> tuple[tuple[int, str, int], int, list[Segment]]:
    """Return what the header of an ELF file says: its kind as above, its type, its segments."""
    assert content[:4] == b"\x7fELF"
    bits, order = {1: 32, 2: 64}[content[4]], {1: "<", 2: ">"}[content[5]]
    address = "Q" if bits == 64 else "I"
    head = struct.unpack_from(f"{order}HHI{address * 3}IHHHHHH", content, 16)
    file_type, machine, _, _, table, _, _, _, entry_size, entries, *_ = head
    segments = []
    for number in range(entries):
        start = table + number * entry_size
        kind = struct.unpack_from(f"{order}I", content, start)[0]
        flags = struct.unpack_from(f"{order}I", content, start + (4 if bits == 64 else 24))[0]
        segments.append(Segment(kind, flags))
    return (bits, order, machine), file_type, segments


def test_every_architecture_is_known_here() -> None:
    assert set(ARCHITECTURES) == set(KINDS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_file(programs: Path, architecture: str) -> None:
    path = programs / f"pause-{architecture}"
    content = path.read_bytes()
    assert len(content) <= 16 * 1024
    assert path.stat().st_mode & 0o777 == 0o755
    kind, file_type, segments = read_elf(content)
    assert kind == KINDS[architecture]
    assert file_type == ET_EXEC
    assert not {PT_INTERP, PT_DYNAMIC} & {segment.kind for segment in segments}, "static"
    (stack,) = [segment for segment in segments if segment.kind == PT_GNU_STACK]
    assert not stack.flags & PF_X
    loaded = [segment for segment in segments if segment.kind == PT_LOAD]
    assert any(segment.flags & PF_X for segment in loaded)
    assert not any(segment.flags & PF_X and segment.flags & PF_W for segment in loaded)


def test_the_check_of_files_can_fail() -> None:
    _, _, segments = read_elf(find_program("sh").resolve().read_bytes())
    assert PT_INTERP in {segment.kind for segment in segments}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_runs_on_every_architecture(programs: Path, architecture: str) -> None:
    with needed():
        qemu = find_program(f"qemu-{QEMU.get(architecture, architecture)}-static")
    program = [str(qemu), str(programs / f"pause-{architecture}")]

    done = subprocess.run([*program, "-v"], capture_output=True, text=True, check=True, timeout=20)
    assert re.fullmatch(r"pause \d+\.\d+\.\d+\n", done.stdout)
    done = subprocess.run([*program, "-x"], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (2, "pause: -x: unknown; -h lists the options\n")
    subprocess.run([*program, "-t", "1"], check=True, timeout=20)

    with subprocess.Popen(program, start_new_session=True) as process:
        try:
            ready(process)
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_signals_before_anything_else(programs: Path, architecture: str) -> None:
    with needed():
        qemu = find_program(f"qemu-{QEMU.get(architecture, architecture)}-static")
    done = subprocess.run(
        [qemu, "-strace", programs / f"pause-{architecture}", "-v"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    calls = re.findall(r"^\d+ (\w+)\(", done.stderr, re.MULTILINE)
    assert calls[:3] == ["rt_sigprocmask", "rt_sigaction", "wait4"]


def test_memory(pause: Path) -> None:
    with needed(), first_process([pause]) as process:
        ready(process)
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    found = re.search(r"^Rss:\s+(\d+) kB$", rollup, re.MULTILINE)
    assert found is not None
    # 4 KiB pages; with larger ones the same few pages weigh more.
    assert int(found[1]) <= 32


def test_leaves_the_processor_alone(pause: Path) -> None:
    """It waits in rt_sigtimedwait(2), for which no pointer to a time means: with no limit."""
    with needed(), first_process([pause]) as process:
        ready(process)
        # The call's number and its six arguments.
        _, _, _, limit, *_ = Path(f"/proc/{process.pid}/syscall").read_text().split()
        assert int(limit, 16) == 0
    with first_process([pause, "-t", "60"]) as process:
        ready(process)
        _, _, _, limit, *_ = Path(f"/proc/{process.pid}/syscall").read_text().split()
        assert int(limit, 16) != 0, "the call tells whether there is a limit"


def test_reproducible(programs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "sources elsewhere"
    shutil.copytree(ROOT / "pause", copy)
    subprocess.run([sys.executable, copy / "build.py", tmp_path / "programs"], check=True)
    for architecture in ARCHITECTURES:
        name = f"pause-{architecture}"
        assert (tmp_path / "programs" / name).read_bytes() == (programs / name).read_bytes()
