"""The URL in the Secret, in the forms of Node and of Java."""

from urllib.parse import quote

from tests.tools.target import Target


def node_url(target: Target) -> str:
    """Return the database's URL as pg, mysql2 and Prisma read it."""
    return target.url.replace("mysql+pymysql:", "mysql:")


def jdbc_url(target: Target) -> str:
    """Return the database's URL as JDBC's drivers read it, with the account among the options."""
    place = f"{target.server.host}:{target.server.port}/{target.name}"
    if target.engine == "mysql":
        # MariaDB's connector takes what stands there as it is.
        return f"jdbc:mariadb://{place}?user={target.role}&password={target.password}"
    account = f"user={quote(target.role, safe='')}&password={quote(target.password, safe='')}"
    return f"jdbc:postgresql://{place}?{account}"
