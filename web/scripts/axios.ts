/**
 * Leaves axios's adapter for fetch out of the bundle: in browsers axios prefers
 * XMLHttpRequest, which they all have, so that its 4 kB would never run.
 */
import type { Plugin } from "vite";

const ADAPTER = /axios\/lib\/adapters\/fetch\.js$/;

export function slimAxios(): Plugin {
  return {
    name: "metacortex-slim-axios",
    apply: "build",
    enforce: "pre",
    load: (id) =>
      ADAPTER.test(id)
        ? "export const getFetch = () => null; export default null;"
        : null,
  };
}
