"""pgbench with a state upsert and an event insert a transaction: the peer of our bus.

What a database can do when nothing but the two writes is asked of it: no lock, no
receipt, no load, no decision, no hash. The statements are made from one real row of
each of our tables, so that columns, types and indexes are the same by construction;
foreign keys and triggers are dropped, in the peer's favour.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

EVENTS_PER_TASK = 4  # one creation, then three edits, as on our side
# Each client counts its own transactions in :n, and so has its own keys; ids rise with
# time, as UUIDv7 do. The runs of one database keep apart by :run.
KEYS = f"""\\set n :n + 1
\\set version (:n - 1) % {EVENTS_PER_TASK} + 1
\\set task :run * 1000000000 + (:n - 1) / {EVENTS_PER_TASK} * 64 + :client_id
\\set sequence :run * 10000000000 + :client_id * 100000000 + :n
\\set workspace :client_id % :workspaces + 1
"""
PLAIN = KEYS + "BEGIN;\n{upsert};\n{insert};\nCOMMIT;\n"
SINGLE = KEYS + "WITH state AS ({upsert}) {insert};\n"
WORKSPACE_ID = "lpad(to_hex(CAST(:workspace AS bigint)), 32, '0')"
TASK_ID = "lpad(to_hex(CAST(:task AS bigint)), 32, '0')"
STATE_KEYS = {"workspace_id": WORKSPACE_ID, "id": TASK_ID, "version": ":version"}
EVENT_KEYS = {
    "workspace_id": WORKSPACE_ID,
    "sequence": ":sequence",
    "event_id": "gen_random_uuid()",
    "stream_id": TASK_ID,
    "version": ":version",
    "command_id": "gen_random_uuid()",
}
COLUMNS = text("""
    SELECT attname, format_type(atttypid, atttypmod)
    FROM pg_attribute
    WHERE attrelid = CAST(:table AS regclass) AND attnum > 0
      AND NOT attisdropped AND attgenerated = ''
    ORDER BY attnum
    """)
PRIMARY_KEY = text("""
    SELECT attname FROM pg_index
    JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
    WHERE indrelid = CAST(:table AS regclass) AND indisprimary
    """)
EXTRAS = text("""
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
    FROM pg_constraint
    WHERE contype = 'f'
      AND conrelid IN (CAST(:state AS regclass), CAST(:event AS regclass))
    UNION ALL
    SELECT format('ALTER TABLE %s DISABLE TRIGGER USER', relation)
    FROM unnest(ARRAY[CAST(:state AS regclass), CAST(:event AS regclass)]) AS relation
    """)


@dataclass(frozen=True, slots=True)
class Statements:
    """The two statements of the transaction, as pgbench reads them."""

    upsert: str
    insert: str


def learn(connection: Connection, state_table: str, event_table: str) -> Statements:
    """Make the statements from the newest row of each table of our own database."""
    state = _values(connection, state_table, STATE_KEYS)
    event = _values(connection, event_table, EVENT_KEYS)
    key = list(connection.scalars(PRIMARY_KEY, {"table": state_table}))
    changed = ", ".join(
        f"{name} = excluded.{name}" for name in state if name not in key
    )
    conflict = f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    return Statements(
        _insert(state_table, state) + conflict, _insert(event_table, event)
    )


def strip(connection: Connection, state_table: str, event_table: str) -> None:
    """Drop the foreign keys and triggers of the peer's own two tables."""
    tables = {"state": state_table, "event": event_table}
    for statement in connection.scalars(EXTRAS, tables).all():
        connection.exec_driver_sql(statement)


def run(
    binary: Path,
    socket_folder: str,
    database: str,
    statements: Statements,
    *,
    form: str,
    workspaces: int,
    number: int,
    seconds: int,
    script: Path,
) -> float:
    """Return transactions a second of 64 clients; `number` keeps runs' keys apart.

    `form` is PLAIN or SINGLE: a message for each statement, or one for both writes.
    Raises CalledProcessError when a transaction fails: pgbench then ends with 2.
    """
    text = form.format(upsert=statements.upsert, insert=statements.insert)
    script.write_text(text)
    command = [str(binary), "-n", "-M", "prepared", "-c", "64", "-j", "2"]
    command += ["-D", "n=0", "-D", f"run={number}", "-D", f"workspaces={workspaces}"]
    command += ["-T", str(seconds), "-h", socket_folder, "-U", "postgres"]
    command += ["-f", str(script), database]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise ValueError(f"pgbench says no rate: {done.stdout}")
    return float(found.group(1))


def _values(connection: Connection, table: str, keys: dict[str, str]) -> dict[str, str]:
    """Return an SQL expression per column: a key of this run, else the sample's."""
    types = {row[0]: row[1] for row in connection.execute(COLUMNS, {"table": table})}
    columns = ", ".join(f'"{name}"::text' for name in types)
    query = text(f"SELECT {columns} FROM {table} ORDER BY version DESC LIMIT 1")
    sample = connection.execute(query).one()
    return {
        name: f"CAST({keys.get(name) or _literal(value)} AS {kind})"
        for (name, kind), value in zip(types.items(), sample, strict=True)
    }


def _literal(value: str | None) -> str:
    """Quote `value`; colons are escaped, for pgbench would read variables in them."""
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3A")
    return f"E'{escaped}'"


def _insert(table: str, values: dict[str, str]) -> str:
    names = ", ".join(values)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(values.values())})"
