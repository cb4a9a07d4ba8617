import { type FormEvent, useState } from "react";

import { text } from "../i18n/index.ts";
import { ROLES, type Role, type SignIn } from "./types.ts";

const DEFAULT = "ada";

/** The development issuer's page; it does not exist in production. */
export default function SignInPage({
  onSignIn,
}: {
  onSignIn: (it: SignIn) => Promise<void>;
}) {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  const enter = (signIn: SignIn) => {
    setBusy(true);
    setProblem(null);
    onSignIn(signIn).catch((error: unknown) => {
      setBusy(false);
      setProblem(error instanceof Error ? error.message : String(error));
    });
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = (name: string) => (form.get(name) as string).trim();
    const workspace = value("workspace");
    enter({
      user: value("user") || DEFAULT,
      role: value("role") as Role,
      ...(workspace && { workspace }),
    });
  };
  return (
    <main className="gate">
      <span className="brand">
        <span className="brand-mark" /> MetaCortex
      </span>
      <h1>{text.signIn.title}</h1>
      <p className="muted">{text.signIn.why}</p>
      <button
        className="button primary wide"
        disabled={busy}
        onClick={() => enter({ user: DEFAULT })}
      >
        {text.signIn.continueAs(DEFAULT)}
      </button>
      <form className="gate-form" onSubmit={submit}>
        <h2>{text.signIn.other}</h2>
        <label className="field">
          <span>{text.signIn.name}</span>
          <input
            className="input"
            name="user"
            pattern="[A-Za-z0-9_\-]+"
            placeholder={DEFAULT}
            autoComplete="off"
          />
        </label>
        <div className="gate-row">
          <label className="field">
            <span>{text.signIn.role}</span>
            <select className="input" name="role" defaultValue="owner">
              {ROLES.map((role) => (
                <option key={role} value={role}>
                  {text.roles[role]}
                </option>
              ))}
            </select>
          </label>
          <label className="field">
            <span>{text.signIn.team}</span>
            <input
              className="input"
              name="workspace"
              pattern="[A-Za-z0-9_\-]+"
              placeholder={text.personal}
              autoComplete="off"
            />
          </label>
        </div>
        <button className="button" disabled={busy}>
          {text.signIn.submit}
        </button>
      </form>
      {problem && (
        <p role="alert" className="problem">
          {text.signIn.failed(problem)}
        </p>
      )}
    </main>
  );
}
