"""The applications: what is in the image of each, and the command with which it migrates."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from agtool.pause import binary
from agtool.pause.image import Image, write_archive
from tests.cluster import toolchain
from tests.cluster.machine import architecture
from tests.cluster.places import cache
from tests.images.root import Files, read, unpacked
from tests.programs import voice
from tests.servers.process import ServerFailed, find_program
from tests.servers.versions import new_folder
from tests.tools.installed import installed
from tests.tools.project import write_project
from tests.tools.target import PostgreSQLTarget, Target
from tests.tools.urls import jdbc_url, node_url

HERE = Path(__file__).parent
RELEASE = 3
"""With the statement that waits at the gate."""

PAUSE = ["/pause"]
"""What each image has besides, as what serves when all is migrated."""


class Application(NamedTuple):
    """An application with its image.

    Attributes:
        name: of the image.
        files: what is in it. Raises ServerUnavailable and ServerFailed.
        command: migrates.
        secret: the database's URL in the form in which it has it.
        env: its other variables.
        needs: what has to be installed: a tool of tests/tools.
        folder: its working directory.
    """

    name: str
    files: Callable[[], Files]
    command: tuple[str, ...]
    secret: Callable[[Target], str]
    env: Mapping[str, str] = {}
    needs: str = ""
    folder: str = "/app"

    @property
    def image(self) -> str:
        """Its name, for the node."""
        return f"localhost/agtool-tests/{self.name}:1"

    def write(self, path: Path) -> None:
        """Write its image, as an archive."""
        made = self.files()
        files = {**made.content, "/pause": binary(architecture()).read_bytes()}
        image = Image(architecture(), files, PAUSE, links=made.links, data=made.data)
        write_archive(path, self.image, [image])


def _project(tool: str, place: str = "/app") -> Files:
    """An application's own files."""
    with TemporaryDirectory() as name:
        folder = Path(name, "project")
        target = PostgreSQLTarget
        write_project(tool, target.engine, target.statements, RELEASE, folder)
        return read(folder, place)


def _busybox() -> Files:
    """A shell and its like."""
    program = find_program("busybox")
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    links = {f"/bin/{name}": "busybox" for name in listed.stdout.split() if name != "busybox"}
    links["/usr/bin/env"] = "/bin/busybox"
    return Files({"/bin/busybox": program.read_bytes()}, links, set())


def _goose(*, musl: bool) -> bytes:
    """The program that has goose as a library: static, or one that needs musl."""
    source = HERE / "goose"
    digest = hashlib.sha256(str(musl).encode())
    for path in sorted(source.iterdir()):
        digest.update(path.read_bytes())
    place = cache().with_name("images") / f"goose-{digest.hexdigest()[:12]}"
    with new_folder(place) as made:
        if made is not None:
            _compile(source, made / "migrate", musl)
    return (place / "migrate").read_bytes()


say = voice("images")


def _compile(source: Path, program: Path, musl: bool) -> None:
    go = toolchain.provided(say)
    environment = toolchain.environment(go, cache().with_name("tools") / "go")
    tags = ",".join((source / "go.tags").read_text().split())
    if musl:
        machine = os.uname().machine
        compiler = f'"{sys.executable}" -m ziglang cc -target {machine}-linux-musl -dynamic'
        environment |= {"CGO_ENABLED": "1", "CC": compiler}
        tags += ",netcgo"  # names are looked up by the C library
    argv: list[str | Path] = [go, "build", "-mod=readonly", f"-tags={tags}", "-o", program, "."]
    done = subprocess.run(
        argv, cwd=source, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServerFailed(f"the Go program could not be compiled: {done.stderr.strip()[-2000:]}")


def _scratch() -> Files:
    program = Files({"/migrate": _goose(musl=False)}, {}, set())
    return program.add(_project("goose", ""))


def _musl() -> Files:
    program = Files({"/app/migrate": _goose(musl=True)}, {}, set())
    root = read(unpacked("bookworm", ["musl"]))
    return root.add(_busybox()).add(program).add(_project("goose", ""))


def _knex() -> Files:
    root = read(unpacked("bookworm", ["nodejs"]))
    modules = read(installed("knex") / "node_modules", "/app/node_modules")
    return root.add(_busybox()).add(modules).add(_project("knex"))


def _rails() -> Files:
    packages = ["ruby-activerecord", "ruby-railties", "ruby-pg", "rake"]
    return read(unpacked("bookworm", packages)).add(_busybox()).add(_project("activerecord"))


def _flyway() -> Files:
    root = read(unpacked("bookworm", ["default-jre-headless"]))
    jars = read(installed("flyway") / "lib", "/app/lib")
    classes = read(installed("flyway") / "classes", "/app/classes")
    return root.add(_busybox()).add(jars).add(classes).add(_project("flyway"))


def _alembic() -> Files:
    """Another Python than the folder's, with another C library."""
    packages = ["base-files", "python3", "python3-alembic", "python3-psycopg2"]
    return read(unpacked("trixie", packages)).add(_project("alembic"))


_JAVA = "/usr/lib/jvm/default-java/bin/java -XX:TieredStopAtLevel=1 -cp '/app/classes:/app/lib/*'"

SMALL = (
    Application(
        "scratch",
        _scratch,
        ("/migrate",),
        lambda target: f"{target.url}?sslmode=disable",
        folder="/",
    ),
    Application(
        "musl",
        _musl,
        ("sh", "-c", "exec /app/migrate"),
        lambda target: f"{target.url}?sslmode=disable",
    ),
)
"""Those that `make test` tries."""

LARGE = (
    Application(
        "knex",
        _knex,
        (
            "sh",
            "-c",
            "node_modules/.bin/knex migrate:unlock && exec node_modules/.bin/knex migrate:latest",
        ),
        node_url,
        needs="knex",
    ),
    Application(
        "rails",
        _rails,
        ("bin/rails", "db:migrate"),
        lambda target: f"{target.url}?pool=5",
        # Rails writes what the schema is, and its root is read-only.
        {"RAILS_ENV": "production", "SCHEMA": "/tmp/schema.rb"},  # noqa: S108
    ),
    Application(
        "flyway",
        _flyway,
        (
            "sh",
            "-c",
            f'FLYWAY_URL="$DATABASE_URL&ApplicationName=$PGAPPNAME" exec {_JAVA} Migrate migrate',
        ),
        jdbc_url,
        {
            "FLYWAY_LOCATIONS": "filesystem:migrations",
            "FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK": "false",
        },
        needs="flyway",
    ),
    Application(
        "alembic",
        _alembic,
        ("python3", "-m", "alembic", "upgrade", "head"),
        lambda target: target.url.replace("postgresql://", "postgresql+psycopg2://"),
    ),
)
"""Those that cost more, for `make images`."""
