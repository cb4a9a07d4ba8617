import { operations } from "@metacortex/client";

import { ops } from "../../shared/i18n/en.ops.ts";
import { useAsk } from "../questions.ts";

interface ChoiceProps {
  name: string;
  label?: string;
  value: string;
  options: readonly string[];
  onChange: () => void;
}

/** A list in a form; a value that is not in it is added. */
export function Choice({ name, label, value, options, onChange }: ChoiceProps) {
  const known = value === "" || options.includes(value) ? options : [value, ...options];
  return (
    <select
      className="input"
      name={name}
      aria-label={label}
      defaultValue={value}
      onChange={onChange}
    >
      <option value="">{label ? `${label}: ${ops.any}` : ops.any}</option>
      {known.map((it) => (
        <option key={it} value={it}>
          {it}
        </option>
      ))}
    </select>
  );
}

export function QueueChoice({
  value,
  onChange,
}: {
  value: string;
  onChange: () => void;
}) {
  const { data } = useAsk("queues", operations.listQueues, { every_ms: 60_000 });
  const names = data?.data.map((it) => it.name) ?? [];
  return (
    // The list comes later than the page: then the choice is made anew.
    <Choice
      key={names.length}
      name="queue"
      value={value}
      options={names}
      onChange={onChange}
    />
  );
}
