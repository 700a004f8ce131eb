"""The interval that a release's lists are for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NAMES = ("interval_start", "interval_end")


def upgrade() -> None:
    with op.batch_alter_table("releases") as releases:
        for name in NAMES:
            releases.add_column(sa.Column(name, MOMENT))


def downgrade() -> None:
    with op.batch_alter_table("releases") as releases:
        for name in reversed(NAMES):
            releases.drop_column(name)
