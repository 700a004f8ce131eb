"""Profiles that could not be written."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "profile_failures",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("history_hash", sa.String(128), nullable=False),
        sa.Column("generator", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_profile_failures"),
    )


def downgrade() -> None:
    op.drop_table("profile_failures")
