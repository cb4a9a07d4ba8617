import { type Body, operations } from "@metacortex/client";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { useMeta } from "../../shared/api/meta.ts";
import { text } from "../../shared/i18n/index.ts";
import { useClock, useMe } from "../../shared/time/ClockContext.tsx";
import { localZone } from "../../shared/time/days.ts";
import {
  type Direction,
  setDirection,
  storedDirection,
} from "../../shared/ui/direction.ts";
import { setTheme, storedTheme, type Theme } from "../../shared/ui/theme.ts";
import { useToasts } from "../../shared/ui/Toasts.tsx";
import { Choice } from "./Choice.tsx";

const THEMES: readonly Theme[] = ["system", "light", "dark"];
const DIRECTIONS: readonly Direction[] = ["auto", "ltr", "rtl"];

export default function SettingsPage() {
  const { settings } = text;
  const meta = useMeta();
  const [theme, chooseTheme] = useState(storedTheme);
  const [direction, chooseDirection] = useState(storedDirection);
  const save = useSaveMe();
  useEffect(() => {
    document.title = `${settings.title} · MetaCortex`;
  }, [settings.title]);
  return (
    <div className="page">
      <header className="page-head">
        <h1>{settings.title}</h1>
      </header>
      <div className="settings">
        <Choice
          name={settings.theme}
          options={THEMES.map((id) => ({ id, label: settings.themes[id] }))}
          value={theme}
          onChange={(next) => {
            setTheme(next);
            chooseTheme(next);
            save({ theme: next });
          }}
        />
        <Zone onSave={save} />
        <Choice
          name={settings.direction}
          options={DIRECTIONS.map((id) => ({ id, label: settings.directions[id] }))}
          value={direction}
          onChange={(next) => {
            setDirection(next);
            chooseDirection(next);
          }}
        />
        <p className="muted small">
          {settings.version(meta.data?.version ?? "")}{" "}
          <a href="/licenses.txt">{settings.licences}</a>
        </p>
      </div>
    </div>
  );
}

/** Saves what is the person's own. */
function useSaveMe() {
  const client = useClient();
  const queries = useQueryClient();
  const { show } = useToasts();
  return (change: Body<typeof operations.editPerson>) => {
    client
      .command(operations.editPerson, { body: change })
      .then(() => queries.invalidateQueries({ queryKey: ["me"] }))
      .catch((error: Error) => show({ message: error.message, alert: true }));
  };
}

function Zone({
  onSave,
}: {
  onSave: (change: Body<typeof operations.editPerson>) => void;
}) {
  const { timeZone } = useClock();
  const me = useMe();
  const zones = Intl.supportedValuesOf("timeZone");
  const shown = zones.includes(timeZone) ? zones : [timeZone, ...zones];
  return (
    <label className="field">
      <span>{text.settings.zone}</span>
      <select
        className="input"
        value={timeZone}
        disabled={!me}
        onChange={(event) => onSave({ time_zone: event.target.value })}
      >
        {shown.map((it) => (
          <option key={it}>{it}</option>
        ))}
      </select>
      <span className="muted small">
        {me ? text.settings.zoneWhy : text.settings.zoneOfBrowser(localZone())}
      </span>
    </label>
  );
}
