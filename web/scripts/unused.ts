/**
 * Leaves out of the bundle what axios and the generated client have and nobody uses: the
 * adapter for fetch (in browsers axios prefers XMLHttpRequest, which they all have), the
 * table of status codes, what turns forms into JSON, and the generated reader of event
 * streams, which cannot resume (the client has its own). Together 6 kB of the first view.
 */
import type { Plugin } from "vite";

const UNUSED: [RegExp, string][] = [
  [
    /axios\/lib\/adapters\/fetch\.js$/,
    "export const getFetch = () => null; export default null;",
  ],
  [/axios\/lib\/helpers\/formDataToJSON\.js$/, "export default () => null;"],
  [/axios\/lib\/helpers\/HttpStatusCode\.js$/, "export default {};"],
  [/serverSentEvents\.gen\.ts$/, "export const createSseClient = null;"],
];

export function withoutUnused(): Plugin {
  return {
    name: "metacortex-without-unused",
    apply: "build",
    enforce: "pre",
    load: (id) => UNUSED.find(([file]) => file.test(id))?.[1] ?? null,
  };
}
