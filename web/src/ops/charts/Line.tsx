import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import type { Drawn } from "./ranges.ts";

export type Tone = "accent" | "warn" | "bad";

interface Props {
  data: Drawn;
  tone: Tone;
  label: string;
  /** Told where one points: the index of a point, null elsewhere. */
  onPoint: (index: number | null) => void;
}

const HEIGHT = 72;
const LEAST = 0.1; // one in 10 s, the least that a sample of them can tell

const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function options(width: number, tone: Tone, point: Props["onPoint"]): uPlot.Options {
  return {
    width,
    height: HEIGHT,
    padding: [4, 0, 2, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false, x: false, y: false } },
    scales: {
      y: { range: (_, __, highest) => [0, Math.max(LEAST, highest ?? 0) * 1.05] },
    },
    axes: [{ show: false }, { show: false }],
    series: [
      {},
      {
        stroke: () => colour(tone),
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      },
    ],
    hooks: {
      setCursor: [(plot) => point(plot.cursor.idx ?? null)],
      drawClear: [
        ({ ctx, bbox }) => {
          ctx.fillStyle = colour("line");
          const px = devicePixelRatio;
          ctx.fillRect(bbox.left, bbox.top + bbox.height - px, bbox.width, px);
        },
      ],
    },
  };
}

/** Draws again when the size or the theme changes. */
function observe(host: HTMLElement, plot: uPlot): () => void {
  const sizes = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
  });
  sizes.observe(host);
  const themes = new MutationObserver(() => plot.redraw(false));
  themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    sizes.disconnect();
    themes.disconnect();
  };
}

/** A line by uPlot; its numbers stand in words beside it. */
export function Line({ data, tone, label, onPoint }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const made = new uPlot(
      options(element.clientWidth, tone, onPoint),
      [[], []],
      element,
    );
    plot.current = made;
    const stop = observe(element, made);
    return () => {
      stop();
      made.destroy();
      plot.current = null;
    };
  }, [tone, onPoint]);
  useEffect(() => {
    plot.current?.setData([data.at, data.values]);
  }, [data, tone, onPoint]);
  return (
    <div className="ops-line" ref={host} role="img" aria-label={label} dir="ltr" />
  );
}
