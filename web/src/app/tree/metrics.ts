/** Sizes that both the style sheet and the code must know; the style sheet says them. */
const property = (name: string): number =>
  parseFloat(getComputedStyle(document.documentElement).getPropertyValue(name));

let height = 0;

/** Pixels of a row; another on touch screens. */
export function rowHeight(): number {
  height ||= property("--row");
  return height;
}

export const indent = (): number => property("--indent");
