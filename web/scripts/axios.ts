/**
 * Leaves out of the bundle what axios has and the client does not use: its adapter for
 * fetch (in browsers it prefers XMLHttpRequest, which they all have), its table of status
 * codes, and what turns forms into JSON. Together 5 kB of the 150 kB of the first view.
 */
import type { Plugin } from "vite";

const UNUSED: [RegExp, string][] = [
  [
    /axios\/lib\/adapters\/fetch\.js$/,
    "export const getFetch = () => null; export default null;",
  ],
  [/axios\/lib\/helpers\/formDataToJSON\.js$/, "export default () => null;"],
  [/axios\/lib\/helpers\/HttpStatusCode\.js$/, "export default {};"],
];

export function slimAxios(): Plugin {
  return {
    name: "metacortex-slim-axios",
    apply: "build",
    enforce: "pre",
    load: (id) => UNUSED.find(([file]) => file.test(id))?.[1] ?? null,
  };
}
