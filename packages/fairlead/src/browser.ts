// What `fairlead` is in browsers.

export { type Fairlead, fairlead } from "./fairlead-portable.ts";
export * from "./index.ts";
