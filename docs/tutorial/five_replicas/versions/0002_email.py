"""A column for the address, filled for the customers that are there: that takes a while."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column, fill it, and index it."""
    op.add_column("customers", sa.Column("email", sa.String(200)))
    op.execute("UPDATE customers SET email = lower(name) || '@example.com'")
    time.sleep(2)  # stands for a table with more rows than this one
    op.create_index("customers_email", "customers", ["email"])
