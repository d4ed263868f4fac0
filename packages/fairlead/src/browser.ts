// What `fairlead` is in browsers.

export { type Fairlead, type FairleadApp, fairlead } from "./fairlead-portable.ts";
export * from "./index.ts";
