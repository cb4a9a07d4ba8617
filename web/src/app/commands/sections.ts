import { text } from "../../shared/i18n/index.ts";
import type { Draft, Patch } from "../../shared/sync/pending.ts";
import type { Section } from "../../shared/sync/rows.ts";
import { rankAt } from "../tree/places.ts";

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

const about = (
  type: string,
  id: string,
  args: object,
  label: string,
  set: Patch["set"],
): Draft => ({
  type: `section.${type}`,
  target: id,
  args: { ...args },
  label,
  patches: [{ type: "section", id, set }],
});

export const renameSection = (id: string, name: string): Draft =>
  about("edit", id, { name }, text.commands.renamed(name), { name });

/** To another's place: before it on the way back, after it on the way on. */
export function moveSection(id: string, to: string, all: readonly Section[]): Draft {
  const from = all.findIndex((it) => it.id === id);
  const onward = from < all.findIndex((it) => it.id === to);
  const place = onward ? { after: to } : { before: to };
  const label = text.commands.moved(all[from]?.name ?? "");
  return about("move", id, place, label, { rank: rankAt(place, all) });
}

/** Its tasks stay, in no section. */
export function deleteSection(
  id: string,
  name: string,
  tasks: readonly string[],
): Draft {
  const draft = about("delete", id, {}, text.commands.deleted(name), { deleted: true });
  const freed = tasks.map((task): Patch => ({
    type: "task",
    id: task,
    set: { section_id: null },
  }));
  return { ...draft, patches: [...draft.patches, ...freed] };
}
