"""What operators ask about Postgres itself: sizes, connections, slow statements.

As the login of the API may see it: of other logins it may count connections, not read
what they run.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text

from metacortex.kernel.database import Reader
from metacortex.kernel.driver_errors import sqlstate

STATEMENTS = 20
TABLES = 50
SCHEMAS = ("events", "commands", "queries", "workers")

_SERVER = text("""
    SELECT current_setting('server_version') AS version,
        pg_database_size(current_database()) AS bytes,
        current_setting('max_connections')::int AS max_connections
    """)
_CONNECTIONS = text("""
    SELECT coalesce(usename, 'server') AS login, coalesce(state, 'unknown') AS state,
        count(*) AS count FROM pg_stat_activity
    WHERE backend_type = 'client backend' OR backend_type IS NULL
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
    """)
_TABLES = text(f"""
    SELECT schemaname || '.' || relname AS table, pg_table_size(relid) AS bytes,
        pg_indexes_size(relid) AS index_bytes, n_live_tup AS rows,
        n_dead_tup AS dead_rows, greatest(last_vacuum, last_autovacuum) AS vacuumed_at
    FROM pg_stat_user_tables WHERE schemaname = ANY (CAST(:schemas AS text[]))
    ORDER BY pg_total_relation_size(relid) DESC LIMIT {TABLES}
    """)
_SCHEMA_OF_STATEMENTS = text("""
    SELECT extnamespace::regnamespace::text AS schema FROM pg_extension
    WHERE extname = 'pg_stat_statements'
    """)


@lru_cache
def _slowest(schema: str) -> TextClause:
    """Return the query of the extension's view, whose schema no search path has.

    The schema is an identifier that Postgres has quoted.
    """
    return text(f"""
    SELECT left(query, 500) AS statement, calls, mean_exec_time AS mean_ms,
        total_exec_time AS total_ms
    FROM {schema}.pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY mean_exec_time DESC LIMIT {STATEMENTS}
    """)


_NOT_TO_BE_HAD = ("55000", "42501")  # library not loaded, or no right to read


async def database(reads: Reader) -> dict[str, Any]:
    """Return what Postgres says of itself."""
    schemas = {"schemas": list(SCHEMAS)}
    return {
        **dict(await reads.row(_SERVER, {})),
        "connections": [dict(it) for it in await reads.rows(_CONNECTIONS, {})],
        "tables": [dict(it) for it in await reads.rows(_TABLES, schemas)],
        "slow_statements": await _slow_statements(reads),
    }


async def _slow_statements(reads: Reader) -> list[dict[str, Any]] | None:
    """Return the slowest statements, or None where none are counted for us."""
    found = await reads.row(_SCHEMA_OF_STATEMENTS, {})
    if found is None:
        return None
    try:
        return [dict(it) for it in await reads.rows(_slowest(found["schema"]), {})]
    except Exception as error:
        if sqlstate(error) not in _NOT_TO_BE_HAD:
            raise
        return None
