"""Runs, releases, lists, reports and quarantine counts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# frozen here: a migration must not change with the mappings
MOMENT = sa.DateTime(timezone=True)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("interval_start", MOMENT),
        sa.Column("interval_end", MOMENT),
        sa.Column("settings_digest", sa.String(128), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("lineage", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
    )
    op.create_table(
        "recommendations",
        sa.Column("release_id", sa.String(128), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("rung", sa.String(64), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "user_id", "rank", name="pk_recommendations"),
        _key("recommendations", "release_id", "releases"),
    )
    op.create_index("ix_recommendations_user_id", "recommendations", ["user_id"])
    op.create_table(
        "reports",
        sa.Column("release_id", sa.String(128), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("headline", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("release_id", name="pk_reports"),
        _key("reports", "release_id", "releases"),
    )
    op.create_table(
        "quarantine_counts",
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column("table", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "table", "reason", name="pk_quarantine_counts"),
        _key("quarantine_counts", "run_id", "runs"),
    )


def downgrade() -> None:
    for table in ("quarantine_counts", "reports", "recommendations", "releases", "runs"):
        op.drop_table(table)
