import { lazy, Suspense, useMemo, useState } from "react";
import { NavLink, useNavigate } from "react-router";
import { newId } from "@metacortex/client";

import { text } from "../shared/i18n/index.ts";
import { useSnapshot } from "../shared/sync/SyncContext.tsx";
import { useClock } from "../shared/time/ClockContext.tsx";
import { Dot } from "../shared/ui/Dot.tsx";
import { Icon, type IconName } from "../shared/ui/Icon.tsx";
import { createProject } from "./commands/tasks.ts";
import { countsOf } from "./lists/definitions.ts";
import { useActions } from "./useActions.ts";

const NameDialog = lazy(() => import("../shared/ui/NameDialog.tsx"));

interface LinkProps {
  to: string;
  name: string;
  icon?: IconName;
  colour?: string | null;
  count?: number | undefined;
}

export function AppNavigation() {
  const snapshot = useSnapshot();
  const { today } = useClock();
  const counts = useMemo(
    () => countsOf(snapshot.task.values(), today),
    [snapshot.task, today],
  );
  const { lists } = text;
  return (
    <nav aria-label={lists.title}>
      <ListLink to="/" icon="inbox" name={lists.inbox} count={counts.inbox} />
      <ListLink to="/today" icon="today" name={lists.today} count={counts.today} />
      <ListLink to="/upcoming" icon="upcoming" name={lists.upcoming} />
      <ListLink to="/all" icon="all" name={lists.all} count={counts.all} />
      <ListLink to="/completed" icon="done" name={lists.completed} />
      <Projects counts={counts.projects} />
      <Tags />
    </nav>
  );
}

function ListLink({ to, name, icon, colour, count }: LinkProps) {
  return (
    <NavLink className="nav-link" to={to} end>
      {icon ? <Icon name={icon} /> : <Dot colour={colour ?? null} />}
      <span className="nav-name">{name}</span>
      {count ? <span className="number">{count.toLocaleString()}</span> : null}
    </NavLink>
  );
}

function Projects({ counts }: { counts: ReadonlyMap<string, number> }) {
  const { project } = useSnapshot();
  const [naming, setNaming] = useState(false);
  const actions = useActions();
  const navigate = useNavigate();
  const shown = useMemo(
    () =>
      [...project.values()]
        .filter((it) => !it.deleted && !it.archived)
        .sort((a, b) => a.name.localeCompare(b.name)),
    [project],
  );
  return (
    <>
      <h2>
        {text.lists.projects}
        <button
          className="button plain icon"
          aria-label={text.addProject}
          onClick={() => setNaming(true)}
        >
          <Icon name="plus" size={14} />
        </button>
      </h2>
      {shown.map((it) => (
        <ListLink
          key={it.id}
          to={`/project/${it.id}`}
          name={it.name}
          colour={it.colour}
          count={counts.get(it.id)}
        />
      ))}
      {naming && (
        <Suspense fallback={null}>
          <NameDialog
            title={text.addProject}
            onClose={() => setNaming(false)}
            onName={(name) => {
              const id = newId();
              actions.run([createProject(id, name)]);
              void navigate(`/project/${id}`);
            }}
          />
        </Suspense>
      )}
    </>
  );
}

function Tags() {
  const { tag } = useSnapshot();
  const shown = useMemo(
    () =>
      [...tag.values()]
        .filter((it) => !it.deleted)
        .sort((a, b) => a.name.localeCompare(b.name)),
    [tag],
  );
  if (shown.length === 0) return null;
  return (
    <>
      <h2>{text.lists.tags}</h2>
      {shown.map((it) => (
        <ListLink key={it.id} to={`/tag/${it.id}`} name={it.name} icon="tag" />
      ))}
    </>
  );
}
