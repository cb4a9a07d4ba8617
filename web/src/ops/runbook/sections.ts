import { sections } from "virtual:runbook";

export { sections };

/** The section that a link leads to, if it leads to one. */
export const sectionAt = (link: string) =>
  sections.find((it) => it.id === link.slice(link.indexOf("#") + 1));
