import { type FormEvent, useId } from "react";

import { text } from "../i18n/index.ts";
import { Dialog } from "./Dialog.tsx";

interface Props {
  title: string;
  value?: string;
  onName: (name: string) => void;
  onClose: () => void;
}

/** Asks for a name. */
export default function NameDialog({ title, value = "", onName, onClose }: Props) {
  const form = useId();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = (new FormData(event.currentTarget).get("name") as string).trim();
    onClose();
    if (name) onName(name);
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      footer={
        <>
          <button className="button" onClick={onClose}>
            {text.cancel}
          </button>
          <button className="button primary" form={form}>
            {text.save}
          </button>
        </>
      }
    >
      <form id={form} onSubmit={submit}>
        <label className="field">
          <span>{text.name}</span>
          <input
            className="input"
            name="name"
            defaultValue={value}
            maxLength={100}
            required
            autoComplete="off"
          />
        </label>
      </form>
    </Dialog>
  );
}
