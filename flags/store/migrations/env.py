"""What Alembic runs: the migrations, on the connection that `open_database` hands over."""

from alembic import context

from flags.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,  # the caller's transaction holds
)
context.run_migrations()
