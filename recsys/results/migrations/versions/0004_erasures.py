"""Shoppers who asked to be erased."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("user_digest", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String()),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("erased_at", MOMENT),
        sa.Column("receipt", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("user_digest", name="pk_erasures"),
    )


def downgrade() -> None:
    op.drop_table("erasures")
