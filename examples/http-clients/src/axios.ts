import axios, { type AxiosInstance } from "axios";
import type { Fairlead } from "fairlead";

/** axios over the backends of `upstream`. axios repeats nothing by itself, so retries are fairlead's alone. */
export function createAxios({ fetch, origin }: Pick<Fairlead, "fetch" | "origin">): AxiosInstance {
  return axios.create({
    baseURL: origin,
    adapter: "fetch",
    // Without a Request of its own axios hands over URL and init, and a body that can be sent again stays one.
    env: { fetch, Request: null, Response: null } as never,
  });
}
