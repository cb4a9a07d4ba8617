/** Made by scripts/runbook.ts from docs/operations.md; its `Section`. */
declare module "virtual:runbook" {
  export const sections: readonly { id: string; title: string; html: string }[];
}
