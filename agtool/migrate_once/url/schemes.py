"""What stands before :// in the URLs of many languages, and which engine it names."""

from agtool.core.errors import ConfigurationError

ENGINES = {
    # SQLAlchemy, libpq, node-postgres, lib/pq
    "postgresql": "postgresql",
    "postgres": "postgresql",
    # Laravel, Symfony, Doctrine (also with _), PHP
    "pgsql": "postgresql",
    "pdo-pgsql": "postgresql",
    # golang-migrate, pgx, xo/dburl
    "pgx": "postgresql",
    "pgx4": "postgresql",
    "pgx5": "postgresql",
    "pg": "postgresql",
    # Django by dj-database-url or django-environ, and Rails
    "psql": "postgresql",
    "postgis": "postgresql",
    "timescale": "postgresql",
    "timescaledb": "postgresql",
    "timescalegis": "postgresql",
    # SQLAlchemy, and nearly everybody
    "mysql": "mysql",
    "mariadb": "mysql",
    # Rails, Sequel, Laravel, Doctrine
    "mysql2": "mysql",
    "trilogy": "mysql",
    "mysqli": "mysql",
    "pdo-mysql": "mysql",
    # Django
    "mysqlgis": "mysql",
    "mysql-connector": "mysql",
    "sqlite": "sqlite",
    # Rails, Laravel, Doctrine, golang-migrate: see `forms` on its path
    "sqlite3": "sqlite",
    "pdo-sqlite": "sqlite",
    "spatialite": "sqlite",
}
"""With - for _, which is the same."""

_OTHER_SERVERS = {
    **dict.fromkeys(("cockroach", "cockroachdb", "crdb", "crdb-postgres"), "CockroachDB"),
    **dict.fromkeys(("yugabyte", "yugabytedb", "ysql"), "YugabyteDB"),
    "redshift": "Amazon Redshift",
    "opengauss": "openGauss",
    "crate": "CrateDB",
    "cratedb": "CrateDB",
    "materialize": "Materialize",
    "risingwave": "RisingWave",
    "questdb": "QuestDB",
}
"""They speak PostgreSQL's protocol without the locks that agtool relies on."""

_NO_SERVER = {
    "prisma": "it leads to Prisma's proxy, which speaks HTTP",
    "prisma+postgres": "it leads to Prisma's proxy, which speaks HTTP",
    "mysqlx": "MySQL's X Protocol (port 33060) is not the one that agtool speaks",
    "mysql+srv": "the server's name would have to be looked up in SRV records",
    "mysqlx+srv": "the server's name would have to be looked up in SRV records",
}


def engine(scheme: str) -> str:
    """The engine that a scheme names, which may have a driver's name after a +.

    Raises:
        ConfigurationError: agtool has no lock there, or does not know it.
    """
    name = scheme.partition("+")[0]
    known = ENGINES.get(name) or ENGINES.get(name.replace("_", "-"))
    if known is not None and scheme not in _NO_SERVER:
        return known
    if scheme in _NO_SERVER:
        raise ConfigurationError(
            f"agtool cannot use a database URL with {scheme}://: {_NO_SERVER[scheme]}",
            hint="Give agtool the URL of the database itself in AGTOOL_DATABASE_URL.",
        )
    if name.replace("_", "-") in _OTHER_SERVERS:
        raise without_locks(_OTHER_SERVERS[name.replace("_", "-")])
    raise ConfigurationError(
        f"the database URL has the unknown dialect {name[:40]!r}",
        hint="agtool knows postgresql, mysql, mariadb and sqlite, and their names in other "
        "languages' URLs: " + ", ".join(sorted(ENGINES)) + ".",
    )


def without_locks(product: str, of: str = "PostgreSQL") -> ConfigurationError:
    """A server that speaks an engine's protocol and has not got its locks."""
    return ConfigurationError(
        f"the database is {product}, which has not got the locks of {of}: "
        "agtool could not keep two replicas apart",
        hint="Run the migration where only one replica runs it, such as in a Kubernetes Job. "
        "agtool works with PostgreSQL, MySQL, MariaDB and SQLite.",
    )
