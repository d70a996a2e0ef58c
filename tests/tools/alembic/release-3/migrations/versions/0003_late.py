"""A statement that takes its time."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.execute("@late@")


def downgrade():
    op.drop_table("late")
