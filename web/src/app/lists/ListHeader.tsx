import { useEffect } from "react";
import { useSearchParams } from "react-router";

import { text } from "../../shared/i18n/index.ts";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { longDay } from "../../shared/time/words.ts";
import { Icon, type IconName } from "../../shared/ui/Icon.tsx";
import { SearchBox } from "../search/SearchBox.tsx";
import type { ListOf } from "./definitions.ts";
import { ListMenu } from "./ListMenu.tsx";

interface Props {
  list: ListOf;
  name: string;
}

export function ListHeader({ list, name }: Props) {
  const { today } = useClock();
  useEffect(() => {
    document.title = `${name} · MetaCortex`;
  }, [name]);
  return (
    <header className="page-head">
      <h1>{name}</h1>
      {list.kind === "today" && <span className="muted">{longDay(today)}</span>}
      <span className="grow" />
      <SearchBox />
      {list.kind === "project" && (
        <View name="board" icon="board" label={text.board.title} />
      )}
      <View name="time" icon="history" label={text.time.title} />
      <ListMenu list={list} name={name} />
    </header>
  );
}

/** Switches a view of the list on and off; it stands in the address. */
function View({ name, icon, label }: { name: string; icon: IconName; label: string }) {
  const [params, setParams] = useSearchParams();
  const on = params.get("view") === name;
  const flip = () =>
    setParams((old) => {
      old.delete("at");
      if (on) old.delete("view");
      else old.set("view", name);
      return old;
    });
  return (
    <button className="button view" aria-label={label} aria-pressed={on} onClick={flip}>
      <Icon name={icon} />
      <span>{label}</span>
    </button>
  );
}
