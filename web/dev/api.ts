/** The API behind Vite's development server: a proxy, so that both have one origin. */
import type { Plugin, ProxyOptions } from "vite";

export const API = process.env.METACORTEX_URL ?? "http://127.0.0.1:8000";

const proxy: Record<string, ProxyOptions> = {
  "/api": { target: API },
  "/dev/token": { target: API },
};

export function api(): Plugin {
  return { name: "metacortex-api", config: () => ({ server: { proxy } }) };
}
