/** Light, dark, or as the system has it; kept in this browser. */
export type Theme = "system" | "light" | "dark";

const KEY = "metacortex.theme";
const dark = () => window.matchMedia("(prefers-color-scheme: dark)");

export function storedTheme(): Theme {
  const found = localStorage.getItem(KEY);
  return found === "light" || found === "dark" ? found : "system";
}

export function applyTheme(theme: Theme): void {
  const isDark = theme === "dark" || (theme === "system" && dark().matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  applyTheme(theme);
}

/** Applies what was chosen, and follows the system. */
export function startTheme(): void {
  applyTheme(storedTheme());
  dark().addEventListener("change", () => applyTheme(storedTheme()));
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) applyTheme(storedTheme());
  });
}
