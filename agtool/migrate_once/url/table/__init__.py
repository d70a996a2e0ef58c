"""Which option of which connector becomes what: data, checked against the reference by a test.

The connectors of many languages read options from the same URL. An option that would change how
safely, where or for how long agtool connects is obeyed, translated or refused (`postgresql`,
`mysql`). What concerns the application alone, such as its pool, is ignored (`application`). `row`
is the shape of all of them.
"""

from __future__ import annotations

from agtool.migrate_once.url.table import application
from agtool.migrate_once.url.table.mysql import MYSQL
from agtool.migrate_once.url.table.postgresql import POSTGRESQL
from agtool.migrate_once.url.table.row import Option

TABLE: tuple[Option, ...] = (
    *POSTGRESQL,
    *application.POSTGRESQL,
    *MYSQL,
    *application.MYSQL,
    *application.ANY,
)
