/** Days and instants in words. */
import { text } from "../i18n/index.ts";
import { addDays, daysBetween, type Moment, wallClock } from "./days.ts";

const LOCALE = "en-GB";

const utc = (options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", ...options });

const SHORT = utc({ day: "numeric", month: "short" });
const WITH_YEAR = utc({ day: "numeric", month: "short", year: "numeric" });
const LONG = utc({ weekday: "long", day: "numeric", month: "long" });
const WEEKDAY = utc({ weekday: "short" });

const at = (date: string): Date => new Date(`${date}T00:00:00Z`);

/** 25 Nov; with its year unless that is this one. */
export const shortDay = (date: string, today: string): string =>
  (date.slice(0, 4) === today.slice(0, 4) ? SHORT : WITH_YEAR).format(at(date));

/** Friday 27 November */
export const longDay = (date: string): string => LONG.format(at(date)).replace(",", "");

/** Today, Tomorrow, or Monday 30 November. */
export function dayName(date: string, today: string): string {
  if (date === today) return text.today;
  if (date === addDays(today, 1)) return text.tomorrow;
  if (date === addDays(today, -1)) return text.yesterday;
  return date.slice(0, 4) === today.slice(0, 4)
    ? longDay(date)
    : WITH_YEAR.format(at(date));
}

/** As a row shows it: 18:00, tomorrow, Mon, 25 Nov. */
export function dueWords({ date, time }: Moment, today: string): string {
  const away = daysBetween(today, date);
  const clock = time?.slice(0, 5) ?? null;
  if (away === 0) return clock ?? text.dueToday;
  const day =
    away === 1
      ? text.dueTomorrow
      : away > 1 && away < 7
        ? WEEKDAY.format(at(date))
        : shortDay(date, today);
  return clock ? `${day} ${clock}` : day;
}

/** Of an instant, in a zone: 09:12, yesterday 21:40, 24 Nov 08:03. */
export function instantWords(instant: string, timeZone: string, now: Date): string {
  const then = wallClock(new Date(instant), timeZone);
  const today = wallClock(now, timeZone).date;
  const away = daysBetween(then.date, today);
  if (away === 0) return then.time ?? "";
  const day = away === 1 ? text.dueYesterday : shortDay(then.date, today);
  return `${day} ${then.time}`;
}
