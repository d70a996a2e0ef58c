"""An index that is made while its table is in use."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("@index@")


def downgrade():
    op.drop_index("customers_name", "customers")
