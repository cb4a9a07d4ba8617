import { text } from "../../shared/i18n/index.ts";
import type { Pending } from "../../shared/sync/pending.ts";
import { useSnapshot, useSync } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { instantWords } from "../../shared/time/words.ts";
import { Dialog } from "../../shared/ui/Dialog.tsx";

/** The changes that are not sent yet, and those that were refused. */
export default function OutboxDialog({ onClose }: { onClose: () => void }) {
  const { pending } = useSnapshot();
  const { connection } = useSync();
  const refused = pending.filter((it) => it.state === "refused");
  const waiting = pending.filter(
    (it) => it.state === "waiting" || it.state === "sending",
  );
  return (
    <Dialog title={text.outbox.title} onClose={onClose}>
      <p className="muted">{text.outbox.state[connection]}</p>
      {refused.length > 0 && <Items title={text.outbox.notDone} items={refused} />}
      {waiting.length > 0 && <Items title={text.outbox.waiting} items={waiting} />}
      {pending.length === 0 && <p className="muted">{text.outbox.nothing}</p>}
    </Dialog>
  );
}

function Items({ title, items }: { title: string; items: Pending[] }) {
  return (
    <section className="outbox">
      <h3>{title}</h3>
      <ul>
        {items.map((it) => (
          <Item key={it.id} item={it} />
        ))}
      </ul>
    </section>
  );
}

function Item({ item }: { item: Pending }) {
  const { engine } = useSync();
  const { timeZone } = useClock();
  const { refusal } = item;
  return (
    <li className="outbox-item">
      <span>
        {item.label}{" "}
        <span className="muted small">
          {instantWords(new Date(item.at).toISOString(), timeZone, new Date())}
        </span>
        {refusal && (
          <span className="problem small">
            {refusal.title}
            {refusal.detail && refusal.detail !== refusal.title
              ? `: ${refusal.detail}`
              : ""}
          </span>
        )}
      </span>
      {refusal && (
        <button className="button" onClick={() => void engine?.outbox.discard(item.n)}>
          {text.discard}
        </button>
      )}
    </li>
  );
}
