"""Who may do what to which table: the intended matrix, and where a database differs.

A table is granted as its schema says, by the default privileges of the migrations; a
table of another kind has a line of its own here and a GRANT in its migration. Tests and
`metacortex doctor` compare both with the database (docs/decisions/0009-roles.md).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import text

from metacortex.kernel.database import ReadConnection

OWNER = "metacortex_owner"
APP = "metacortex_app"
PROJECTOR = "metacortex_projector"
AUDITOR = "metacortex_auditor"

Privileges = frozenset[str]

READ: Privileges = frozenset({"SELECT"})
APPEND = READ | {"INSERT"}
KEEP = APPEND | {"UPDATE"}
ALL = KEEP | {"DELETE"}

MATRIX: Mapping[str, Mapping[str, Privileges]] = {
    "events.*": {APP: APPEND, PROJECTOR: READ, AUDITOR: READ},
    "events.heads": {APP: KEEP, PROJECTOR: READ, AUDITOR: READ},
    "commands.*": {APP: KEEP},
    "commands.receipts": {APP: KEEP, AUDITOR: READ},
    "queries.*": {APP: READ, PROJECTOR: ALL},
    "queries.activity": {APP: READ, PROJECTOR: ALL, AUDITOR: READ},
    "queries.checkpoints": {APP: READ, PROJECTOR: ALL, AUDITOR: READ},
    "workers.*": {APP: KEEP, PROJECTOR: ALL},
    "workers.actions": {APP: APPEND, PROJECTOR: APPEND, AUDITOR: READ},
    "workers.leases": {APP: READ, PROJECTOR: ALL},
}
"""By table, else by schema, what each role may; nobody may anything else."""

Grants = Mapping[tuple[str, str], Privileges]
"""By table and role."""


def wanted(table: str) -> Mapping[str, Privileges]:
    """Return what each role should be granted on a table."""
    return MATRIX.get(table, MATRIX.get(f"{table.partition('.')[0]}.*", {}))


def reach(roles: Iterable[str], tables: Iterable[str]) -> dict[str, Privileges]:
    """Return by table what somebody may who is all of these roles."""
    asked = list(roles)
    nothing: Privileges = frozenset()
    return {
        table: nothing.union(*(wanted(table).get(role, nothing) for role in asked))
        for table in tables
    }


_OURS = (
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o"
    f" ON o.oid = n.nspowner AND o.rolname = '{OWNER}' AND c.relkind IN ('r', 'p', 'v')"
)
_OWNERS = text(
    "SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner)"
    f" FROM {_OURS} ORDER BY 1"
)
_GRANTED = text(
    "SELECT n.nspname || '.' || c.relname, coalesce(g.rolname, 'PUBLIC'),"
    f" a.privilege_type FROM {_OURS} CROSS JOIN LATERAL (SELECT c.relacl AS acl"
    " UNION ALL SELECT t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid) x"
    " CROSS JOIN LATERAL aclexplode(x.acl) a LEFT JOIN pg_roles g ON g.oid = a.grantee"
    " WHERE a.grantee <> c.relowner"
)


_SCHEMAS = text(
    "SELECT n.nspname, pg_get_userbyid(n.nspowner), coalesce(g.rolname, 'PUBLIC'),"
    " a.privilege_type, a.grantee = n.nspowner FROM pg_namespace n"
    " CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a"
    " LEFT JOIN pg_roles g ON g.oid = a.grantee WHERE n.nspname = ANY (:schemas)"
)
_PASSED_ON = text(
    "SELECT coalesce(g.rolname, 'PUBLIC'), a.privilege_type, n.nspname || '.'"
    f" || c.relname FROM {_OURS} CROSS JOIN LATERAL aclexplode(c.relacl) a"
    " LEFT JOIN pg_roles g ON g.oid = a.grantee"
    " WHERE a.is_grantable AND a.grantee <> c.relowner ORDER BY 1, 3, 2"
)
_FUNCTIONS = text(
    "SELECT p.oid::regprocedure::text, pg_get_userbyid(p.proowner) FROM pg_proc p"
    " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY (:schemas)"
    f" AND pg_get_userbyid(p.proowner) <> '{OWNER}' ORDER BY 1"
)


async def differences(connection: ReadConnection) -> list[str]:
    """Say where the database grants less or more than the matrix, and the remedy.

    Whoever logs in may ask. A grant on a single column counts as one on the table.
    """
    owners = {row[0]: row[1] for row in await connection.execute(_OWNERS)}
    found = defaultdict[tuple[str, str], set[str]](set)
    for table, role, privilege in await connection.execute(_GRANTED):
        found[table, role].add(privilege)
    said = [
        f"{table} belongs to {owner}: ALTER TABLE {table} OWNER TO {OWNER}"
        for table, owner in owners.items()
        if owner != OWNER
    ]
    for table in owners:
        said += _table_differences(table, found)
    return said + await _beyond_tables(connection)


async def _beyond_tables(connection: ReadConnection) -> list[str]:
    """Say what differs in schemas, in functions, and in who may pass rights on."""
    schemas = sorted({table.partition(".")[0] for table in MATRIX})
    rows = list(await connection.execute(_SCHEMAS, {"schemas": schemas}))
    owners = {schema: owner for schema, owner, *_ in rows}
    said = [
        f"schema {schema} belongs to {owner}: ALTER SCHEMA {schema} OWNER TO {OWNER}"
        for schema, owner in owners.items()
        if owner != OWNER
    ]
    for schema in schemas:
        found = {(row[2], row[3]) for row in rows if row[0] == schema and not row[4]}
        said += _schema_differences(schema, found)
    said += [
        f"{role} may pass {privilege} on {table} on: REVOKE GRANT OPTION FOR "
        f"{privilege} ON {table} FROM {role}"
        for role, privilege, table in await connection.execute(_PASSED_ON)
    ]
    said += [
        f"{function} belongs to {owner}: ALTER FUNCTION {function} OWNER TO {OWNER}"
        for function, owner in await connection.execute(
            _FUNCTIONS, {"schemas": schemas}
        )
    ]
    return said + await _around_the_schema(connection)


def _schema_differences(schema: str, found: set[tuple[str, str]]) -> list[str]:
    should = {(role, "USAGE") for role in _users_of(schema)}
    lacking = [
        f"{role} lacks {it} on schema {schema}: GRANT {it} ON SCHEMA {schema} TO {role}"
        for role, it in sorted(should - found)
    ]
    beyond = [
        f"{role} has {it} on schema {schema}: REVOKE {it} ON SCHEMA {schema} FROM "
        f"{role}"
        for role, it in sorted(found - should)
    ]
    return lacking + beyond


_DATABASE = text(
    "SELECT quote_ident(datname), a.privilege_type FROM pg_database"
    " CROSS JOIN LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
    " WHERE datname = current_database() AND a.grantee = 0 ORDER BY 2"
)
_PATHS = text(
    "SELECT rolname FROM pg_roles WHERE rolname = ANY (:roles) AND NOT EXISTS"
    " (SELECT 1 FROM unnest(rolconfig) c WHERE c LIKE 'search_path=pg_catalog%')"
    " ORDER BY 1"
)


async def _around_the_schema(connection: ReadConnection) -> list[str]:
    """Say what everybody may with the database, and whose search path is free."""
    roles = {"roles": [OWNER, APP, PROJECTOR, AUDITOR]}
    return [
        f"PUBLIC has {privilege} on the database: REVOKE {privilege} ON DATABASE {name}"
        " FROM PUBLIC"
        for name, privilege in await connection.execute(_DATABASE)
    ] + [
        f"the search path of {role} is not fixed: ALTER ROLE {role} SET search_path ="
        " pg_catalog, pg_temp"
        for (role,) in await connection.execute(_PATHS, roles)
    ]


def _users_of(schema: str) -> set[str]:
    """Return the roles that may do something in a schema."""
    lines = (roles for table, roles in MATRIX.items() if table.startswith(f"{schema}."))
    return {role for roles in lines for role in roles}


def _table_differences(
    table: str, found: Mapping[tuple[str, str], set[str]]
) -> list[str]:
    rules = wanted(table)
    if not rules:
        return [f"{table} has no line in MATRIX of metacortex/grants.py"]
    roles = {*rules, *(role for its, role in found if its == table)}
    said = []
    for role in sorted(roles):
        has, should = found.get((table, role), set()), rules.get(role, frozenset())
        if lacking := ", ".join(sorted(should - has)):
            said.append(
                f"{role} lacks {lacking} on {table}: GRANT {lacking} ON {table} "
                f"TO {role}"
            )
        if beyond := ", ".join(sorted(has - should)):
            said.append(
                f"{role} has {beyond} on {table}: REVOKE {beyond} ON {table} "
                f"FROM {role}, or say so in MATRIX of metacortex/grants.py"
            )
    return said


_POWERS = (
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
)
_EFFECTIVE = text(
    "SELECT n.nspname || '.' || c.relname, p, has_schema_privilege(n.oid, 'USAGE')"
    f" AND has_table_privilege(c.oid, p) FROM {_OURS}"
    " CROSS JOIN unnest(CAST(:powers AS text[])) p"
)
_ROLE = text(
    "SELECT rolname, rolsuper, rolcreaterole OR rolsuper,"
    f" EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{OWNER}'"
    " AND pg_has_role(current_user, oid, 'MEMBER'))"
    " FROM pg_roles WHERE rolname = current_user"
)


async def powers(connection: ReadConnection) -> dict[str, Privileges]:
    """Return by table what the login really may: by grant, membership or being above.

    Tables that are out of its reach are there, too, with nothing.
    """
    found = defaultdict[str, set[str]](set)
    for table, power, may in await connection.execute(
        _EFFECTIVE, {"powers": list(_POWERS)}
    ):
        found[table] |= {power} if may else set()
    return {table: frozenset(its) for table, its in found.items()}


async def standing(connection: ReadConnection) -> tuple[str, list[str]]:
    """Return the login's name and what puts it above grants, in words."""
    row = (await connection.execute(_ROLE)).one()
    words = ("is a superuser", "may make roles", f"may become {OWNER}")
    return row[0], [word for word, holds in zip(words, row[1:], strict=True) if holds]
