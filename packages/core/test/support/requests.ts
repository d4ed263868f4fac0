import type { RoutableRequest } from "@fairlead/core";

/** A request as a client shows it to a router: `requestOf("http://a.test/x?y", { method: "PUT", headers: { … } })`. */
export function requestOf(
  url: string,
  { method = "GET", headers = {} }: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): RoutableRequest {
  const [, host = "", path = "/", search = ""] = /^https?:\/\/([^/]+)([^?]*)(.*)$/.exec(url) ?? [];
  return { method, host, path, search, header: (name) => headers[name] };
}
