import { isIP, type Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { Backend } from "../backend.ts";
import type { Finding } from "../health/health.ts";

/** Where a backend listens. */
export function addressOf(
  { url }: Backend,
  port: number | undefined,
): { readonly host: string; readonly port: number } {
  const { hostname, port: own, protocol } = new URL(url);
  const usual = protocol === "https:" || protocol === "wss:" ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port ?? (own === "" ? usual : Number(own)) };
}

/** What the specification says of TLS; the name that is asked for is never an address. */
export function tlsOptionsOf({ url, spec }: Backend, host: string | undefined): ConnectionOptions {
  const { ca, cert, key, serverName, rejectUnauthorized } = spec.tls ?? {};
  const name = serverName ?? (host ?? spec.host ?? new URL(url).hostname).replace(/:\d+$/, "");
  return {
    ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(isIP(name.replace(/^\[|\]$/g, "")) === 0 ? { servername: name } : {}),
    rejectUnauthorized: rejectUnauthorized !== false,
  };
}

export function hostHeader({ spec }: Backend, host: string | undefined): { readonly host?: string } {
  const name = host ?? spec.host;
  return name === undefined ? {} : { host: name };
}

/** When the certificate of the other side ends, milliseconds since 1970; `undefined` without TLS. */
export function expiryOf(socket: Socket): number | undefined {
  const certificate = "getPeerCertificate" in socket ? (socket as TLSSocket).getPeerCertificate() : undefined;
  const endsAt = Date.parse(certificate?.valid_to ?? "");
  return Number.isNaN(endsAt) ? undefined : endsAt;
}

/** Waits for a connection, judges it, and closes it whatever comes of it. */
export function judged<S extends Socket>(
  socket: S,
  connected: "connect" | "secureConnect",
  signal: AbortSignal,
  judge: (socket: S) => Finding,
): Promise<Finding> {
  return new Promise((resolve, reject) => {
    const abort = (): void => void socket.destroy();
    signal.addEventListener("abort", abort, { once: true });
    socket.on("error", reject);
    socket.once("close", () => {
      signal.removeEventListener("abort", abort);
      reject(new Error("connection closed"));
    });
    socket.once(connected, () => {
      resolve(judge(socket));
      socket.destroy();
    });
  });
}
