"""Alembic's entry: plain SQL, one transaction for each migration, one migrator at a time."""

from alembic import context
from sqlalchemy import Connection, text

LOCK = 0x616E6A75  # "anju": the advisory lock that migrators share

connection: Connection = context.config.attributes["connection"]
connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
connection.commit()
try:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
finally:
    connection.rollback()
    connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": LOCK})
    connection.commit()
