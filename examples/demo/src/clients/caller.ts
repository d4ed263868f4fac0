import type { BackendFigures } from "../messages.ts";

/** One way of calling a set of backends. */
export interface Caller {
  /** Makes one safe call, to the end of the answer's body. Resolves to its status. */
  call(path: string): Promise<number>;
  /** In the order of the backends. */
  figures(): readonly BackendFigures[];
  close(): Promise<void>;
}
