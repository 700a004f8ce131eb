"""Run migrations on the connection that `recsys.results.database` hands over."""

from alembic import context

from recsys.results.models import VERSIONS, Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=VERSIONS,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
# the transaction, with its lock, is the caller's
context.run_migrations()
