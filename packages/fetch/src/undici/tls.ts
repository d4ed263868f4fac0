import { emitWarning } from "node:process";
import type { Backend, Balancer } from "@fairlead/core";
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

/** Warns of a backend whose certificate is not verified, once per process, as Node does of what is unsafe. */
export function warnOfTrust({ name }: Balancer, { id, spec }: Backend): void {
  if (spec.tls?.rejectUnauthorized !== false) return;
  const message = `${name}: the certificate of ${id} is not verified (tls.rejectUnauthorized is false)`;
  if (warned.has(message)) return;
  warned.add(message);
  emitWarning(message, { code: "FAIRLEAD_WARN_TLS" });
}

const warned = new Set<string>();
