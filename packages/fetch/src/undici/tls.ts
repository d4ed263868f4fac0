import type { Route } from "./route.ts";

/** What Node's TLS takes. */
interface TlsConnectOptions {
  ca?: string | string[];
  cert?: string;
  key?: string;
  rejectUnauthorized?: boolean;
  servername?: string;
}

/** What the specification of a backend says of TLS, in Node's terms. */
export function tlsOptionsOf({ serverName, spec: { tls } }: Route): TlsConnectOptions {
  return {
    ...(tls?.ca === undefined ? undefined : { ca: typeof tls.ca === "string" ? tls.ca : [...tls.ca] }),
    ...(tls?.cert === undefined ? undefined : { cert: tls.cert }),
    ...(tls?.key === undefined ? undefined : { key: tls.key }),
    ...(tls?.rejectUnauthorized === undefined ? undefined : { rejectUnauthorized: tls.rejectUnauthorized }),
    ...(serverName === undefined ? undefined : { servername: serverName }),
  };
}
