"""A real MySQL, which takes MariaDB's place when AGTOOL_TEST_MYSQL names one."""

from collections.abc import Mapping
from pathlib import Path

from tests.servers import versions
from tests.servers.mariadb import MariaDB
from tests.servers.process import ServerUnavailable


class MySQL(MariaDB):
    """A MySQL from the cache, used like MariaDB.

    Raises ServerUnavailable when none is named or it has not been fetched.
    """

    is_mariadb = False
    # As MariaDB's, but the size of the log has another name.
    fast: Mapping[str, str] = {
        "innodb_flush_log_at_trx_commit": "0",
        "innodb_redo_log_capacity": "8M",
        "sync_binlog": "0",
    }

    def _find(self) -> list[str | Path]:
        cached = versions.mysql()
        if cached is None:
            raise ServerUnavailable(f"{versions.MYSQL} names no MySQL")
        root = self.process.reach(cached, versions.folder())
        plugins, share = root / "usr" / "lib" / "mysql" / "plugin", root / "usr" / "share" / "mysql"
        return [
            root / "usr" / "sbin" / "mysqld",
            "--no-defaults",
            *(f"--basedir={root / 'usr'}", f"--plugin-dir={plugins}"),
            *(f"--lc-messages-dir={share}", f"--character-sets-dir={share / 'charsets'}"),
            *("--secure-file-priv=NULL", "--mysqlx=OFF"),
        ]

    def _initialize(self) -> None:
        self.process.run(*self._program, f"--datadir={self.data}", "--initialize-insecure")

    def dump(self) -> Path:
        cached = versions.mysql()
        assert cached is not None
        return cached / "usr" / "bin" / "mysqldump"


def new_mariadb(folder: Path, *, settings: Mapping[str, str] | None = None) -> MariaDB:
    """A MariaDB, or the MySQL that is named to take its place. Raises ServerUnavailable."""
    kind = MySQL if versions.mysql() else MariaDB
    return kind(folder, settings=settings)
