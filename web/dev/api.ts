/**
 * The API behind Vite's servers: a proxy, and the security headers that the product
 * sends, so that what breaks its content security policy breaks here already.
 */
import type { Plugin, ProxyOptions } from "vite";

import { developmentIssuer } from "./issuer.ts";

export const API = process.env.METACORTEX_URL ?? "http://127.0.0.1:8140";

const POLICY =
  "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

const proxy: Record<string, ProxyOptions> = {
  "/api": { target: API },
  "/dev/token": { target: API },
};

export function api(): Plugin {
  return {
    name: "metacortex-api",
    config: () => ({
      server: { proxy },
      preview: { proxy, headers: { "Content-Security-Policy": POLICY } },
    }),
    configureServer: (server) => {
      server.middlewares.use(developmentIssuer(API));
    },
    configurePreviewServer: (server) => {
      server.middlewares.use(developmentIssuer(API));
    },
  };
}
