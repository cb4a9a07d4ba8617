/** The rows that the app keeps a copy of. */

export type Priority = "low" | "medium" | "high" | "urgent";
export type Status = "pending" | "in_progress" | "blocked" | "completed" | "cancelled";

export interface Due {
  date: string;
  time: string | null;
  time_zone: string | null;
}

interface Base {
  id: string;
  version: number;
  deleted: boolean;
  created_at: string;
  updated_at: string;
}

export interface Task extends Base {
  title: string;
  description: string | null;
  status: Status;
  priority: Priority;
  due: Due | null;
  project_id: string | null;
  parent_id: string | null;
  tags: readonly string[];
  assignee_id: string | null;
  blocked_reason: string | null;
  completed_at: string | null;
  archived: boolean;
  /** Null where it was never moved; absent where the server knows no order. */
  rank?: string | null;
  section_id?: string | null;
  comments?: number;
}

export interface Project extends Base {
  name: string;
  description: string | null;
  colour: string | null;
  archived: boolean;
}

export interface Tag extends Base {
  name: string;
  colour: string | null;
}

export interface Section extends Base {
  name: string;
  project_id: string;
  rank: string | null;
}

export interface Rows {
  task: Task;
  project: Project;
  tag: Tag;
  section: Section;
}

export type Kind = keyof Rows;
export type Row = Rows[Kind];

export interface Document {
  type: Kind;
  data: Row;
}

export const KINDS: readonly Kind[] = ["task", "project", "tag", "section"];

export const isKind = (type: string): type is Kind =>
  (KINDS as readonly string[]).includes(type);

export const isOpen = (task: Task): boolean =>
  task.status !== "completed" && task.status !== "cancelled";
