"""The URL in the Secret of a team that uses Java."""

from urllib.parse import quote

from tests.tools.target import Target

SCHEMES = {"postgresql": "postgresql", "mysql": "mariadb"}


def jdbc_url(target: Target) -> str:
    """Return the database's URL as JDBC's drivers read it, with the account among the options."""
    place = f"{target.server.host}:{target.server.port}/{target.name}"
    account = f"user={quote(target.role, safe='')}&password={quote(target.password, safe='')}"
    return f"jdbc:{SCHEMES[target.engine]}://{place}?{account}"
