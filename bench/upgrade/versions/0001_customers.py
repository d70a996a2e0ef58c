"""A migration that lasts one second, and builds its index concurrently."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the customers, fill them for a second, index them."""
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
    )
    op.execute("INSERT INTO customers (name) SELECT 'name ' || n FROM generate_series(1, 1000) n")
    op.execute("SELECT pg_sleep(1)")  # stands for a table with more rows than this one
    with op.get_context().autocommit_block():
        op.create_index("customers_name", "customers", ["name"], postgresql_concurrently=True)
