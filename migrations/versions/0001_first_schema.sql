-- The first schema: the log, the state tables, the read tables, and who may do what.
-- Postgres 15 is the floor; no extension is needed.

CREATE SCHEMA events;
CREATE SCHEMA commands;
CREATE SCHEMA queries;
CREATE SCHEMA workers;

CREATE TABLE commands.members (
    user_id TEXT NOT NULL,
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_members PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX uq_members_user ON commands.members (workspace_id, user_id);
CREATE TABLE commands.projects (
    name TEXT NOT NULL,
    description TEXT,
    colour TEXT,
    archived BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_projects PRIMARY KEY (workspace_id, id)
);
CREATE TABLE commands.receipts (
    workspace_id UUID NOT NULL,
    command_id UUID NOT NULL,
    type TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    error JSON,
    stream_type TEXT,
    stream_id UUID,
    version INTEGER,
    first_sequence BIGINT,
    last_sequence BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    correlation_id TEXT NOT NULL,
    request_id TEXT,
    CONSTRAINT pk_receipts PRIMARY KEY (workspace_id, command_id)
);
CREATE TABLE commands.tags (
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    colour TEXT,
    deleted BOOLEAN NOT NULL,
    merged_into UUID,
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tags PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX uq_tags_live_name ON commands.tags (workspace_id, name_key) WHERE NOT deleted;
CREATE TABLE commands.tasks (
    title TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    due JSON,
    project_id UUID,
    parent_id UUID,
    tags UUID[] NOT NULL,
    assignee_id TEXT,
    blocked_reason TEXT,
    completed_at TIMESTAMP WITH TIME ZONE,
    archived BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    deleted_with UUID,
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tasks PRIMARY KEY (workspace_id, id)
);
CREATE INDEX ix_tasks_parent ON commands.tasks (workspace_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_tasks_project ON commands.tasks (workspace_id, project_id) WHERE project_id IS NOT NULL;
CREATE TABLE events.heads (
    workspace_id UUID NOT NULL,
    sequence BIGINT NOT NULL,
    turn BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    frontier BYTEA NOT NULL,
    CONSTRAINT pk_heads PRIMARY KEY (workspace_id)
);
CREATE TABLE events.log (
    workspace_id UUID NOT NULL,
    sequence BIGINT NOT NULL,
    event_id UUID NOT NULL,
    stream_type TEXT NOT NULL,
    stream_id UUID NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    schema_version SMALLINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    command_id UUID NOT NULL,
    command_type TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    data JSON,
    context JSON,
    salt BYTEA,
    payload_hash BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    CONSTRAINT pk_log PRIMARY KEY (workspace_id, sequence),
    CONSTRAINT uq_log_stream_version UNIQUE (workspace_id, stream_id, version, stream_type)
);
CREATE TABLE queries.activity (
    workspace_id UUID NOT NULL,
    sequence BIGINT NOT NULL,
    event_id UUID NOT NULL,
    stream_type TEXT NOT NULL,
    stream_id UUID NOT NULL,
    type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    command_id UUID NOT NULL,
    correlation_id TEXT NOT NULL,
    request_id TEXT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    document JSON NOT NULL,
    CONSTRAINT pk_activity PRIMARY KEY (workspace_id, sequence)
);
CREATE INDEX ix_activity_event ON queries.activity (workspace_id, event_id);
CREATE INDEX ix_activity_stream ON queries.activity (workspace_id, stream_id, sequence);
CREATE TABLE queries.checkpoints (
    workspace_id UUID NOT NULL,
    sequence BIGINT NOT NULL,
    parked_at TIMESTAMP WITH TIME ZONE,
    error TEXT,
    CONSTRAINT pk_checkpoints PRIMARY KEY (workspace_id)
);
CREATE TABLE queries.projects (
    name TEXT NOT NULL,
    archived BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    document JSON NOT NULL,
    CONSTRAINT pk_projects PRIMARY KEY (workspace_id, id)
);
CREATE TABLE queries.tags (
    name TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    document JSON NOT NULL,
    CONSTRAINT pk_tags PRIMARY KEY (workspace_id, id)
);
CREATE TABLE queries.tasks (
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    priority SMALLINT NOT NULL,
    due_date DATE,
    due_at TIMESTAMP WITH TIME ZONE,
    due_local TIMESTAMP WITHOUT TIME ZONE,
    project_id UUID,
    parent_id UUID,
    tags UUID[] NOT NULL,
    assignee_id TEXT,
    archived BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    search TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('simple', title), 'A') || to_tsvector('simple', coalesce(document ->> 'description', ''))) STORED NOT NULL,
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    document JSON NOT NULL,
    CONSTRAINT pk_tasks PRIMARY KEY (workspace_id, id)
);
CREATE INDEX ix_tasks_created ON queries.tasks (workspace_id, created_at, id);
CREATE INDEX ix_tasks_parent ON queries.tasks (workspace_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_tasks_project ON queries.tasks (workspace_id, project_id);

CREATE TABLE workers.leases (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (name)
);

-- Heads and checkpoints are updated by every write: room in the page keeps those
-- updates out of the indexes.
ALTER TABLE events.heads SET (fillfactor = 50);
ALTER TABLE queries.checkpoints SET (fillfactor = 50);

-- Nobody changes what happened, the owner of the tables included. ALWAYS, so that not
-- even session_replication_role = replica gets past.
CREATE FUNCTION events.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the log is append-only',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER log_rows_stay BEFORE UPDATE OR DELETE ON events.log
    FOR EACH ROW EXECUTE FUNCTION events.refuse();
CREATE TRIGGER log_stays BEFORE TRUNCATE ON events.log
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse();
CREATE TRIGGER head_rows_stay BEFORE DELETE ON events.heads
    FOR EACH ROW EXECUTE FUNCTION events.refuse();
CREATE TRIGGER heads_stay BEFORE TRUNCATE ON events.heads
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse();
CREATE TRIGGER receipt_rows_stay BEFORE DELETE ON commands.receipts
    FOR EACH ROW EXECUTE FUNCTION events.refuse();
CREATE TRIGGER receipts_stay BEFORE TRUNCATE ON commands.receipts
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse();
ALTER TABLE events.log ENABLE ALWAYS TRIGGER log_rows_stay;
ALTER TABLE events.log ENABLE ALWAYS TRIGGER log_stays;
ALTER TABLE events.heads ENABLE ALWAYS TRIGGER head_rows_stay;
ALTER TABLE events.heads ENABLE ALWAYS TRIGGER heads_stay;
ALTER TABLE commands.receipts ENABLE ALWAYS TRIGGER receipt_rows_stay;
ALTER TABLE commands.receipts ENABLE ALWAYS TRIGGER receipts_stay;

REVOKE ALL ON SCHEMA events, commands, queries, workers FROM PUBLIC;
GRANT USAGE ON SCHEMA events, commands, queries TO metacortex_app;
GRANT USAGE ON SCHEMA events, queries, workers TO metacortex_projector;
GRANT USAGE ON SCHEMA events, commands, queries TO metacortex_auditor;

GRANT SELECT, INSERT ON events.log TO metacortex_app;
GRANT SELECT, INSERT, UPDATE ON events.heads TO metacortex_app;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA commands TO metacortex_app;
GRANT SELECT ON ALL TABLES IN SCHEMA queries TO metacortex_app;

GRANT SELECT ON ALL TABLES IN SCHEMA events TO metacortex_projector;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA queries, workers
    TO metacortex_projector;

GRANT SELECT ON ALL TABLES IN SCHEMA events TO metacortex_auditor;
GRANT SELECT ON commands.receipts TO metacortex_auditor;
GRANT SELECT ON queries.activity, queries.checkpoints TO metacortex_auditor;

GRANT USAGE ON SCHEMA public TO metacortex_app;
GRANT SELECT ON public.alembic_version TO metacortex_app;
