interface Props {
  label: string;
  value: string | null | undefined;
  /** What stands for no value. */
  none: string;
  options: readonly { id: string; name: string }[];
  onChoose: (id: string | null) => void;
}

/** One of several resources, or none. */
export function SelectField({ label, value, none, options, onChoose }: Props) {
  return (
    <label>
      <span>{label}</span>
      <select
        className="input plain"
        value={value ?? ""}
        onChange={(event) => onChoose(event.target.value || null)}
      >
        <option value="">{none}</option>
        {options.map((it) => (
          <option key={it.id} value={it.id}>
            {it.name}
          </option>
        ))}
      </select>
    </label>
  );
}
