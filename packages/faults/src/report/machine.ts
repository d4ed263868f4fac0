import { cpus } from "node:os";

/** What the figures depend on besides the code, as a sentence. */
export function machine(): string {
  const processors = cpus();
  const date = new Date().toISOString().slice(0, 16).replace("T", " ");
  const processor = `${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}`;
  return `Run on ${date} UTC, Node ${process.versions.node}, ${process.platform}, ${processor}.`;
}
