"""Bring the schema up to date: Alembic over plain SQL, under an advisory lock; running it again changes nothing."""

import re
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

import migrations
from domain.errors import UnavailableError

# Alembic keeps what it is doing in globals: one at a time in a process; the advisory lock is for processes
_alone = Lock()


def migrate(database_url: str) -> tuple[str | None, str | None]:
    """Run every migration that is missing; (revision before, revision now). Blocks: call it in a thread."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(
        re.sub(r"\Apostgres(ql)?://", "postgresql+psycopg://", database_url),
        poolclass=NullPool,
        connect_args={"connect_timeout": 10},
    )
    try:
        with _alone, engine.connect() as connection:
            before = MigrationContext.configure(connection).get_current_revision()
            connection.rollback()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError as error:
        reason = " ".join(str(error.orig).split())  # libpq writes several lines
        raise UnavailableError(f"the database cannot be reached to migrate it: {reason}") from error
    finally:
        engine.dispose()
    return before, ScriptDirectory.from_config(config).get_current_head()
