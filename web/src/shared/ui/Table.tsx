import type { ReactNode } from "react";

export interface Column<Row> {
  id: string;
  title: string;
  /** Numbers stand at the end of their column. */
  number?: boolean;
  render: (row: Row) => ReactNode;
}

interface Props<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  empty: ReactNode;
}

/** A table as the rooms of auditors and operators show them. */
export function Table<Row>({ caption, columns, rows, keyOf, empty }: Props<Row>) {
  if (rows.length === 0) return <p className="muted">{empty}</p>;
  return (
    // A table that is wider than the page scrolls by itself, by keyboard too.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="table-frame" role="region" aria-label={caption} tabIndex={0}>
      <table className="table">
        <caption className="hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((it) => (
              <th key={it.id} scope="col" className={it.number ? "number" : undefined}>
                {it.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((it) => (
                <td
                  key={it.id}
                  className={it.number ? "number" : undefined}
                  data-title={it.title}
                >
                  {it.number ? <bdi>{it.render(row)}</bdi> : it.render(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
