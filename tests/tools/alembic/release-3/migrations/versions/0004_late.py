"""A statement that takes its time."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.execute("@late@")


def downgrade():
    op.drop_table("late")
