import { text } from "../../shared/i18n/index.ts";
import type { Draft } from "../../shared/sync/pending.ts";

export function createSection(id: string, name: string, project_id: string): Draft {
  const now = new Date().toISOString();
  const row = { id, version: 0, deleted: false, created_at: now, updated_at: now };
  return {
    type: "section.create",
    target: null,
    args: { id, name, project_id },
    label: text.commands.createdSection(name),
    patches: [{ type: "section", id, set: { ...row, name, project_id, rank: null } }],
  };
}
