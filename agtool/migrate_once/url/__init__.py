"""Which database: from what people have in their Secret to its parts and its driver's options.

`find` says where it stands (option, file, variable, or `parts` of it), `parse` reads it (`forms`
and `semicolons`: what is not plain, with `general` for SQLAlchemy's; `schemes`: what its beginning
means). `options` decides what becomes of each option, `rows` by the data of `table`, with `values`
for a single one and `merge` for all together. `database` is what comes out, with its `renewal` if
a file or a `password_command` may give it anew. A password leaves this folder in one field only,
and stands in no message.

What a plain URL does not need is imported where it is needed: it costs at every pod's start.
"""

from agtool.migrate_once.url.database import Database, Parts, is_port
from agtool.migrate_once.url.find import find_database, find_url
from agtool.migrate_once.url.parse import parse

__all__ = ["Database", "Parts", "find_database", "find_url", "is_port", "parse"]
