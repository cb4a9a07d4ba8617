/**
 * Dates in words: a small grammar of English phrases, matched at one place of a text.
 * Weekdays are the next such day after today; "next fri" is Friday of the week after
 * this one, which begins on Monday.
 */
import {
  addDays,
  addMonths,
  dayOf,
  type Moment,
  weekday,
} from "../../shared/time/days.ts";

export interface Match {
  length: number;
  moment: Moment;
}

const DAYS = [
  "sunday",
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
];
const MONTHS = [
  ...["january", "february", "march", "april", "may", "june", "july"],
  ...["august", "september", "october", "november", "december"],
];
const DAY =
  "sun(?:day)?|mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?";
const MONTH =
  "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?";
const COUNT = "\\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten";
const COUNTS = [
  "",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
];
const TIME =
  "(?:at\\s+)?(?:(\\d{1,2})(?::(\\d{2}))?\\s?(am|pm)|(\\d{1,2}):(\\d{2})|(noon|midnight))|at\\s+(\\d{1,2})";
const END = "(?![\\p{L}\\p{N}_-])";

const indexOf = (names: string[], word: string): number =>
  names.findIndex((name) => name.startsWith(word.toLowerCase().slice(0, 3)));

function count(word: string): number {
  if (/^\d/.test(word)) return Number(word);
  return /^an?$/i.test(word) ? 1 : COUNTS.indexOf(word.toLowerCase());
}

interface Rule {
  pattern: RegExp;
  read: (groups: string[], now: Moment) => string | null;
}

const rule = (source: string, read: Rule["read"]): Rule => ({
  pattern: new RegExp(`(?:${source})${END}`, "iuy"),
  read,
});

const upcoming = (today: string, day: number): string =>
  addDays(today, ((day - weekday(today) + 6) % 7) + 1);

const monday = (today: string): string => addDays(today, -((weekday(today) + 6) % 7));

/** The day of this year, or of the next where it has passed. */
function yearly(month: string, day: string, year: string, now: Moment): string | null {
  const number = indexOf(MONTHS, month) + 1;
  if (year) return dayOf(Number(year), number, Number(day));
  const thisYear = Number(now.date.slice(0, 4));
  const found = dayOf(thisYear, number, Number(day));
  return found && found < now.date ? dayOf(thisYear + 1, number, Number(day)) : found;
}

function later(today: string, amount: number, unit: string): string {
  const letter = unit.charAt(0).toLowerCase();
  if (letter === "d") return addDays(today, amount);
  if (letter === "w") return addDays(today, amount * 7);
  return addMonths(today, letter === "m" ? amount : amount * 12);
}

const RULES: Rule[] = [
  rule("(?:the\\s+)?day after tomorrow", (_g, now) => addDays(now.date, 2)),
  rule("today|tod", (_g, now) => now.date),
  rule("tomorrow|tmrw?|tom", (_g, now) => addDays(now.date, 1)),
  rule(`next\\s+(${DAY})`, ([, day = ""], now) =>
    addDays(monday(now.date), 7 + ((indexOf(DAYS, day) + 6) % 7)),
  ),
  rule(`(?:on\\s+|this\\s+|by\\s+)?(${DAY})`, ([, day = ""], now) =>
    upcoming(now.date, indexOf(DAYS, day)),
  ),
  rule("next week", (_g, now) => addDays(monday(now.date), 7)),
  rule("next month", (_g, now) => `${addMonths(now.date, 1).slice(0, 8)}01`),
  rule("(?:this |the )?weekend", (_g, now) =>
    weekday(now.date) === 6 ? now.date : upcoming(now.date, 6),
  ),
  rule(
    `in\\s+(${COUNT})\\s+(days?|weeks?|months?|years?)`,
    ([, n = "", unit = ""], now) => later(now.date, count(n), unit),
  ),
  rule("(?:on\\s+|by\\s+)?(\\d{4})-(\\d{2})-(\\d{2})", ([, y, m, d]) =>
    dayOf(Number(y), Number(m), Number(d)),
  ),
  rule(
    `(?:on\\s+|by\\s+)?(\\d{1,2})(?:st|nd|rd|th)?(?:\\s+of)?\\s+(${MONTH})(?:,?\\s+(\\d{4}))?`,
    ([, day = "", month = "", year = ""], now) => yearly(month, day, year, now),
  ),
  rule(
    `(?:on\\s+|by\\s+)?(${MONTH})\\s+(\\d{1,2})(?:st|nd|rd|th)?(?:,?\\s+(\\d{4}))?`,
    ([, month = "", day = "", year = ""], now) => yearly(month, day, year, now),
  ),
];

/** Words that are something else as well count only where nothing but a time follows. */
const AMBIGUOUS = /^(?:sun|mon|wed|sat|tom|tod)$/i;
const CLOCK = new RegExp(`(?:${TIME})${END}`, "iuy");
const SOON = new RegExp(
  `in\\s+(${COUNT}|half an)\\s+(hours?|minutes?|mins?)${END}`,
  "iuy",
);

function at(pattern: RegExp, text: string, index: number): RegExpExecArray | null {
  pattern.lastIndex = index;
  return pattern.exec(text);
}

function clock(text: string, index: number): { length: number; time: string } | null {
  const found = at(CLOCK, text, index);
  if (!found) return null;
  const [whole, h12, m12, half, h24, m24, word, plain] = found;
  const noon = word?.toLowerCase() === "noon" ? 12 : 0;
  let hour = Number(h12 ?? h24 ?? plain ?? noon);
  if (half && (hour < 1 || hour > 12)) return null;
  if (half) hour = (hour % 12) + (half.toLowerCase() === "pm" ? 12 : 0);
  const minute = Number(m12 ?? m24 ?? 0);
  if (hour > 23 || minute > 59) return null;
  const two = (n: number) => String(n).padStart(2, "0");
  return { length: whole.length, time: `${two(hour)}:${two(minute)}` };
}

function soon(text: string, index: number, now: Moment): Match | null {
  const found = at(SOON, text, index);
  if (!found?.[1] || !found[2] || now.time === null) return null;
  const half = /^half/i.test(found[1]);
  const unit = /^h/i.test(found[2]) ? 60 : 1;
  const minutes = half ? 30 : count(found[1]) * unit;
  const then = new Date(Date.parse(`${now.date}T${now.time}:00Z`) + minutes * 60_000);
  const [date = "", time = ""] = then.toISOString().split("T");
  return { length: found[0].length, moment: { date, time: time.slice(0, 5) } };
}

const gap = (text: string, index: number): number =>
  /^(?:,?\s+)/.exec(text.slice(index))?.[0].length ?? 0;

function day(text: string, index: number, now: Moment): Match | null {
  for (const { pattern, read } of RULES) {
    const found = at(pattern, text, index);
    const date = found && read([...found], now);
    if (!found || !date) continue;
    const end = index + found[0].length;
    if (AMBIGUOUS.test(found[0])) {
      const rest = text.slice(end).trim();
      const free =
        rest === "" || /^[#@!]/.test(rest) || clock(text, end + gap(text, end));
      if (!free) continue;
    }
    return { length: found[0].length, moment: { date, time: null } };
  }
  return null;
}

/** Matches a date, a time, or both in either order, that begin at the index. */
export function matchDate(text: string, index: number, now: Moment): Match | null {
  const within = soon(text, index, now);
  if (within) return within;
  const first = day(text, index, now);
  if (first) {
    const space = gap(text, index + first.length);
    const time = space ? clock(text, index + first.length + space) : null;
    if (!time) return first;
    const length = first.length + space + time.length;
    return { length, moment: { date: first.moment.date, time: time.time } };
  }
  const time = clock(text, index);
  if (!time) return null;
  const space = gap(text, index + time.length);
  const after = space ? day(text, index + time.length + space, now) : null;
  if (after) {
    const length = time.length + space + after.length;
    return { length, moment: { date: after.moment.date, time: time.time } };
  }
  const passed = now.time !== null && time.time <= now.time;
  const date = passed ? addDays(now.date, 1) : now.date;
  return { length: time.length, moment: { date, time: time.time } };
}
