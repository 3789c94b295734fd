"""The database: SQLite embedded, or PostgreSQL; SQLAlchemy Core, one store a noun, Alembic for the schema."""

from adapters.database.engine import SqlDatabase, open_database
from adapters.database.errors import DatabaseUnavailable, DatabaseUrlUnusable, SchemaStale
from adapters.database.schema import check_schema, check_schema_of, migrate
from adapters.database.watching import watch

__all__ = [
    "DatabaseUnavailable",
    "DatabaseUrlUnusable",
    "SchemaStale",
    "SqlDatabase",
    "check_schema",
    "check_schema_of",
    "migrate",
    "open_database",
    "watch",
]
