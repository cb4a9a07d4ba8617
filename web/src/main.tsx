import "./shared/ui/css/tokens.css";
import "./shared/ui/css/base.css";
import "./shared/ui/css/controls.css";
import "./shared/ui/css/layers.css";
import "./shared/ui/css/shell.css";
import "./shared/ui/css/gate.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { House } from "./House.tsx";
import { keepShell } from "./shared/offline/register.ts";
import { startDirection } from "./shared/ui/direction.ts";
import { startTheme } from "./shared/ui/theme.ts";

startTheme();
startDirection();
const root = document.getElementById("root");
if (!root) throw new Error("the page has no root");
createRoot(root).render(
  <StrictMode>
    <House />
  </StrictMode>,
);
keepShell();
