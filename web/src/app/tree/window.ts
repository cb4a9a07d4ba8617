/** Which rows of a long list are drawn. All have one height, so nothing is measured. */

export interface Range {
  first: number;
  /** The first that is not drawn. */
  end: number;
}

const OVERSCAN = 12; // rows beyond the edge, so that fast scrolling finds them drawn
const ABOVE = 60; // pixels kept free above a row that is scrolled to
const BELOW = 90; // and below it: bars lie there

/** Those that can be seen, `top` pixels below the list's beginning, and some around. */
export function rangeAt(top: number, size: number, height: number): Range {
  return {
    first: Math.max(0, Math.floor(top / height) - OVERSCAN),
    end: Math.max(0, Math.ceil((top + size) / height) + OVERSCAN),
  };
}

/** How far to scroll by, so that a row can be seen: as little as possible. */
export function scrollBy(
  index: number,
  top: number,
  size: number,
  height: number,
): number {
  const row = index * height - top;
  if (row < ABOVE) return row - ABOVE;
  return Math.max(0, row + height + BELOW - size);
}
