"""Connects as DATABASE_URL says."""

import os

from alembic import context
from models import metadata
from sqlalchemy import create_engine, pool


def include_name(name, type_, parent_names):
    """Leave agtool's schema (PostgreSQL) and tables (MySQL) alone."""
    if type_ == "schema":
        return name != "agtool"
    return not (type_ == "table" and name.startswith("agtool_"))


with create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # In MySQL a schema is a database: that would be those of others.
        include_schemas=connection.dialect.name == "postgresql",
        include_name=include_name,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
