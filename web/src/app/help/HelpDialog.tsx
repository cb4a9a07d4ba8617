import { help } from "../../shared/i18n/en.help.ts";
import { Dialog } from "../../shared/ui/Dialog.tsx";

/** Every key, and what one can type into "Add a task". */
export default function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={help.title} onClose={onClose}>
      <div className="help">
        {help.groups.map(({ name, keys }) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {keys.map(([key, meaning]) => (
                <div key={key}>
                  <dt>
                    {key.split(" ").map((it) => (
                      <kbd key={it}>{it}</kbd>
                    ))}
                  </dt>
                  <dd>{meaning}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
