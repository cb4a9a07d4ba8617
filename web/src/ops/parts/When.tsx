import { localZone } from "../../shared/time/days.ts";
import { instantWords } from "../../shared/time/words.ts";
import { ops } from "../../shared/i18n/en.ops.ts";
import { ago, ahead } from "../words.ts";
import { useNow } from "./now.ts";

const WORDS = {
  ago: (at: number, now: number) => ago(at, now),
  ahead: (at: number, now: number) => ahead(at, now),
  at: (at: number, now: number) =>
    instantWords(new Date(at).toISOString(), localZone(), new Date(now)),
};

interface Props {
  at: string | null;
  /** As a time of day, or as a distance from now. */
  as?: keyof typeof WORDS;
}

/** An instant in words; the instant itself where one points. */
export function When({ at, as = "at" }: Props) {
  const now = useNow();
  if (at === null) return <span className="muted">{ops.nothing}</span>;
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {WORDS[as](Date.parse(at), now)}
    </time>
  );
}
