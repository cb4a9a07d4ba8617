import { useId, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { instantWords } from "../../shared/time/words.ts";

interface Props {
  /** Milliseconds of the first thing that happened; null where nothing has. */
  earliest: number | null;
  at: string | null;
  onChange: (at: string | null) => void;
}

const STEPS = 1000; // as fine as the widest slider can be moved

/** From the first event to now. */
export function Slider({ earliest: first, at, onChange }: Props) {
  const id = useId();
  const { timeZone } = useClock();
  const [now, setNow] = useState(() => Date.now());
  const earliest = first ?? now;
  const span = Math.max(1, now - earliest);
  const place =
    at === null ? STEPS : Math.round(((Date.parse(at) - earliest) / span) * STEPS);
  const words = at === null ? text.time.now : instantWords(at, timeZone, new Date(now));
  const move = (value: number) => {
    if (value >= STEPS) return onChange(null);
    onChange(new Date(earliest + (span * value) / STEPS).toISOString());
  };
  const toNow = () => {
    setNow(Date.now());
    onChange(null);
  };
  return (
    <div className="time-machine">
      <label htmlFor={id} className="muted">
        {text.time.asOf}
      </label>
      <output htmlFor={id} className="number">
        {words}
      </output>
      <input
        id={id}
        type="range"
        min={0}
        max={STEPS}
        value={place}
        aria-valuetext={words}
        onChange={(event) => move(Number(event.target.value))}
      />
      <button className="button" onClick={toNow} disabled={at === null}>
        {text.time.now}
      </button>
    </div>
  );
}
