import type { Fairlead } from "fairlead";
import ky, { type KyInstance } from "ky";

/** ky over the backends of `upstream`. Its own retries are off: two layers that retry multiply. */
export function createKy({ fetch, origin }: Pick<Fairlead, "fetch" | "origin">): KyInstance {
  return ky.create({ prefix: origin, retry: 0, fetch: fetch });
}
