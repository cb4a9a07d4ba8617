/** A small line chart; its numbers stand in words beside it, so it is hidden from readers. */
interface Props {
  values: readonly number[];
  tone?: "accent" | "warn" | "bad";
}

const WIDTH = 240;
const HEIGHT = 56;

export function points(values: readonly number[]): string {
  const highest = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  return values
    .map(
      (it, index) =>
        `${(index * step).toFixed(1)},${(HEIGHT - (it / highest) * (HEIGHT - 6)).toFixed(1)}`,
    )
    .join(" ");
}

export function Chart({ values, tone = "accent" }: Props) {
  return (
    <svg
      className={`chart ${tone}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <line className="chart-base" x1="0" y1={HEIGHT} x2={WIDTH} y2={HEIGHT} />
      <polyline points={points(values)} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
