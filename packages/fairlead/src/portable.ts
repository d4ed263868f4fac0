// What `fairlead` is in workerd, Bun and Deno: their `fetch` takes no dispatcher.
export * from "./circuit-breakers.ts";
export { type Fairlead, type FairleadApp, fairlead } from "./fairlead-portable.ts";
export * from "./index.ts";
