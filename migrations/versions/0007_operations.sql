CREATE TABLE workers.actions (
    id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    ip INET,
    result TEXT NOT NULL,
    run_id UUID,
    CONSTRAINT pk_actions PRIMARY KEY (id)
);
CREATE INDEX ix_actions_actor ON workers.actions (actor_id, id);
CREATE INDEX ix_actions_target ON workers.actions (target, id);

CREATE TABLE workers.failures (
    fingerprint TEXT NOT NULL,
    actor TEXT NOT NULL,
    error_type TEXT NOT NULL,
    message TEXT NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    count BIGINT NOT NULL,
    sample_run_id UUID NOT NULL,
    CONSTRAINT pk_failures PRIMARY KEY (fingerprint)
);
CREATE INDEX ix_failures_last ON workers.failures (last_at, fingerprint);

CREATE TABLE workers.imports (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    actor_id TEXT NOT NULL,
    project TEXT NOT NULL,
    content TEXT,
    digest TEXT NOT NULL,
    status TEXT DEFAULT 'queued' NOT NULL,
    done BIGINT DEFAULT '0' NOT NULL,
    total BIGINT DEFAULT '0' NOT NULL,
    errors JSONB DEFAULT '[]' NOT NULL,
    correlation_id TEXT NOT NULL,
    run_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_imports PRIMARY KEY (id),
    CONSTRAINT ck_imports_status CHECK (status IN ('queued', 'running', 'done', 'failed'))
);
CREATE INDEX ix_imports_workspace ON workers.imports (workspace_id, id);

CREATE TABLE workers.processes (
    id UUID NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE,
    queues TEXT[] DEFAULT '{}' NOT NULL,
    running JSONB DEFAULT '[]' NOT NULL,
    rss_bytes BIGINT NOT NULL,
    loop_delay_ms DOUBLE PRECISION NOT NULL,
    figures JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_processes PRIMARY KEY (id),
    CONSTRAINT ck_processes_kind CHECK (kind IN ('api', 'worker', 'scheduler'))
);
CREATE INDEX ix_processes_seen ON workers.processes (seen_at);

CREATE TABLE workers.project_minutes (
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    runs BIGINT NOT NULL,
    events BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    p50_ms DOUBLE PRECISION NOT NULL,
    p95_ms DOUBLE PRECISION NOT NULL,
    max_ms DOUBLE PRECISION NOT NULL,
    buckets BIGINT[] NOT NULL,
    CONSTRAINT pk_project_minutes PRIMARY KEY (minute)
);

CREATE TABLE workers.queues (
    name TEXT NOT NULL,
    paused BOOLEAN DEFAULT false NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_queues PRIMARY KEY (name)
);

CREATE TABLE workers.runs (
    id UUID NOT NULL,
    actor TEXT NOT NULL,
    queue TEXT NOT NULL,
    message_id UUID NOT NULL,
    arguments JSONB NOT NULL,
    workspace_id UUID,
    unique_key TEXT,
    schedule TEXT,
    correlation_id TEXT,
    command_id UUID,
    retry_of UUID,
    enqueued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    duration_ms DOUBLE PRECISION,
    attempt INTEGER DEFAULT '1' NOT NULL,
    max_attempts INTEGER DEFAULT '1' NOT NULL,
    outcome TEXT DEFAULT 'queued' NOT NULL,
    open BOOLEAN DEFAULT false NOT NULL,
    worker UUID,
    error_type TEXT,
    error_message TEXT,
    fingerprint TEXT,
    traceback TEXT,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    done BIGINT,
    total BIGINT,
    CONSTRAINT pk_runs PRIMARY KEY (id),
    CONSTRAINT ck_runs_outcome CHECK (outcome IN ('queued', 'running', 'succeeded', 'retrying', 'crashed', 'failed', 'discarded'))
);
CREATE INDEX ix_runs_words ON workers.runs USING gin (to_tsvector('simple', actor || ' '
    || coalesce(error_type, '') || ' ' || coalesce(error_message, '') || ' '
    || (arguments)::text));
CREATE INDEX ix_runs_actor ON workers.runs (actor, id);
CREATE INDEX ix_runs_actor_outcome ON workers.runs (actor, outcome, id);
CREATE INDEX ix_runs_command ON workers.runs (command_id, id) WHERE command_id IS NOT NULL;
CREATE INDEX ix_runs_correlation ON workers.runs (correlation_id, id);
CREATE INDEX ix_runs_due ON workers.runs (due_at) WHERE outcome = 'queued';
CREATE INDEX ix_runs_fingerprint ON workers.runs (fingerprint, id) WHERE fingerprint IS NOT NULL;
CREATE INDEX ix_runs_finished ON workers.runs (finished_at);
CREATE UNIQUE INDEX ix_runs_message ON workers.runs (message_id, attempt);
CREATE INDEX ix_runs_open ON workers.runs (fingerprint, id) WHERE open;
CREATE INDEX ix_runs_outcome ON workers.runs (outcome, id);
CREATE INDEX ix_runs_queue ON workers.runs (queue, id);
CREATE INDEX ix_runs_queue_outcome ON workers.runs (queue, outcome, id);
CREATE INDEX ix_runs_retry_of ON workers.runs (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX ix_runs_running ON workers.runs (worker) WHERE outcome = 'running';
CREATE INDEX ix_runs_started ON workers.runs (started_at);
CREATE INDEX ix_runs_worker ON workers.runs (worker, id) WHERE worker IS NOT NULL;
CREATE INDEX ix_runs_workspace ON workers.runs (workspace_id, id) WHERE workspace_id IS NOT NULL;
CREATE UNIQUE INDEX uq_runs_unique_key ON workers.runs (unique_key) WHERE outcome IN ('queued', 'running');

CREATE TABLE workers.samples (
    metric TEXT NOT NULL,
    step INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    CONSTRAINT pk_samples PRIMARY KEY (metric, step, at),
    CONSTRAINT ck_samples_step CHECK (step IN (10, 300))
);

CREATE TABLE workers.schedules (
    name TEXT NOT NULL,
    cron TEXT,
    interval_s DOUBLE PRECISION,
    time_zone TEXT DEFAULT 'UTC' NOT NULL,
    actor TEXT NOT NULL,
    arguments JSONB DEFAULT '{}' NOT NULL,
    paused BOOLEAN DEFAULT false NOT NULL,
    missed TEXT DEFAULT 'run_once' NOT NULL,
    last_run TIMESTAMP WITH TIME ZONE,
    next_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_schedules PRIMARY KEY (name),
    CONSTRAINT ck_schedules_times CHECK (num_nonnulls(cron, interval_s) = 1),
    CONSTRAINT ck_schedules_missed CHECK (missed IN ('run_once', 'skip'))
);

CREATE TABLE workers.schedule_runs (
    name TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    run_id UUID NOT NULL,
    CONSTRAINT pk_schedule_runs PRIMARY KEY (name, due_at),
    FOREIGN KEY(name) REFERENCES workers.schedules (name) ON DELETE CASCADE
);
CREATE INDEX ix_schedule_runs_run ON workers.schedule_runs (run_id);

CREATE TRIGGER action_rows_stay BEFORE UPDATE OR DELETE ON workers.actions
    FOR EACH ROW EXECUTE FUNCTION events.refuse();
CREATE TRIGGER actions_stay BEFORE TRUNCATE ON workers.actions
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse();
ALTER TABLE workers.actions ENABLE ALWAYS TRIGGER action_rows_stay;
ALTER TABLE workers.actions ENABLE ALWAYS TRIGGER actions_stay;

GRANT USAGE ON SCHEMA workers TO metacortex_app, metacortex_auditor;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA workers TO metacortex_app;
REVOKE INSERT, UPDATE ON workers.leases FROM metacortex_app;
REVOKE UPDATE ON workers.actions FROM metacortex_app;
REVOKE UPDATE, DELETE ON workers.actions FROM metacortex_projector;
GRANT SELECT ON workers.actions TO metacortex_auditor;
ALTER DEFAULT PRIVILEGES FOR ROLE metacortex_owner IN SCHEMA workers
    GRANT SELECT, INSERT, UPDATE ON TABLES TO metacortex_app;
