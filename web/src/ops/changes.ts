/** What changed last: what operators did, what failed, and which processes began. */
import { ops } from "../shared/i18n/en.ops.ts";
import { targetOf } from "./causes.ts";
import { type Act, ACTS } from "./api.ts";
import type { Action, FailureGroup, Process } from "./types.ts";
import { short } from "./words.ts";

export interface Change {
  id: string;
  at: string;
  words: string;
  to: string;
  bad: boolean;
}

const SHOWN = 8; // about as high as the tables beside it

const isAct = (action: string): action is Act => Object.hasOwn(ACTS, action);

const ofAction = (it: Action): Change => ({
  id: it.id,
  at: it.at,
  words: ops.changes.acted(
    it.actor_id,
    isAct(it.action) ? ops.acts[it.action].label : it.action,
    short(it.target),
    it.result.replaceAll("_", " "),
  ),
  to: it.run_id ? `/ops/runs/${it.run_id}` : targetOf(it.action, it.target),
  bad: false,
});

const ofFailure = (it: FailureGroup): Change => ({
  id: it.fingerprint,
  at: it.last_at,
  words: ops.changes.failed(it.actor, it.error_type, it.count),
  to: `/ops/runs/${it.sample_run_id}`,
  bad: true,
});

const ofProcess = (it: Process): Change => ({
  id: it.id,
  at: it.started_at,
  words: ops.changes.started(ops.workers.kinds[it.kind], it.host, it.version),
  to: "/ops/workers",
  bad: false,
});

export function changesOf(
  actions: readonly Action[],
  failures: readonly FailureGroup[],
  processes: readonly Process[],
): Change[] {
  return [
    ...actions.map(ofAction),
    ...failures.map(ofFailure),
    ...processes.map(ofProcess),
  ]
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
    .slice(0, SHOWN);
}
