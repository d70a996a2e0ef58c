"""What becomes of a URL's options: obeyed, ignored, or refused. The rare ones are in `rows`.

Not with postponed annotations: a NamedTuple would compile them at each start.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from agtool.migrate_once.url.database import Database

_PLAIN: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "postgresql": {
        "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        "target_session_attrs": ("any", "read-write", "primary"),
        "application_name": (),
    },
    "mysql": {"charset": ()},
}
"""What the table would say of the most frequent options, which the fast path need not import.

Options of agtool's drivers: these values are obeyed, and without values they have no effect.
"""


class Translated(NamedTuple):
    """The options in the words of agtool's driver, and what is to be said of the rest."""

    values: dict[str, str]
    warnings: tuple[str, ...] = ()


def translate(database: Database, is_native: Callable[[str], bool]) -> Translated:
    """The options of a URL as libpq or PyMySQL has them.

    is_native: whether agtool's driver has an option of this name, which the table need not have.

    Raises:
        ConfigurationError: one is refused, unknown and about TLS, hosts, sockets or connection
            time-outs, or contradicts another one.
    """
    if not database.query:
        return Translated({})
    plain, options = _PLAIN[database.engine], database.options
    if options.keys() <= plain.keys():
        obeyed = {name: value for name, value in options.items() if plain[name]}
        if all(value in plain[name] for name, value in obeyed.items()):
            return Translated(obeyed)
    from agtool.migrate_once.url.rows import translate_all

    return Translated(*translate_all(database, is_native))
