import { createHash, randomBytes } from "node:crypto";
import { type IncomingMessage, type OutgoingHttpHeaders, request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import type { Socket } from "node:net";
import type { Backend } from "../backend.ts";
import { scheduled } from "../health/check/function-check.ts";
import type { HealthCheck } from "../health/check/health-check.ts";
import { checkUrl, type HttpRules, resolveHttpRules } from "../health/check/http-rules.ts";
import { type CheckSchedule, resolveSchedule, SCHEDULE_KEYS } from "../health/check/schedule.ts";
import type { Finding } from "../health/health.ts";
import { expected, OptionCheck } from "../options.ts";
import { expiryOf, hostHeader, tlsOptionsOf } from "./connection.ts";
import { type NodeHttpCheckOptions, USER_AGENT } from "./node-http-check.ts";

export interface WebSocketCheckOptions
  extends CheckSchedule,
    Pick<NodeHttpCheckOptions, "path" | "host" | "headers" | "port"> {
  /** Subprotocols to offer, of which the backend must choose one. Default: none. */
  readonly protocols?: readonly string[] | undefined;
}

const KEYS = ["path", "host", "headers", "port", "protocols", ...SCHEDULE_KEYS] as const;
/** RFC 6455 §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** A closing handshake that stands still for so long is given up. */
const CLOSE_IDLE_MS = 250;
/** Nor is more read of what a backend sends instead. */
const CLOSE_BYTES = 65_536;
/** RFC 7230 `token`. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * A backend passes if it opens a WebSocket as RFC 6455 §4 says: status 101, the right `Sec-WebSocket-Accept`, one of the
 * protocols that were offered, no extension. The socket is then closed with 1000.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function webSocketCheck(options: WebSocketCheckOptions = {}): HealthCheck {
  const check = new OptionCheck();
  const { protocols: given, host: name, ...input } = check.record("", options, KEYS) ?? {};
  const rules = resolveHttpRules(check, input);
  const settings = resolveSchedule(check, input);
  const protocols = resolveProtocols(check, given);
  const host = check.optional("host", name, expected.headerValue);
  check.throwIfAny("webSocketCheck");
  return scheduled("webSocketCheck", settings, ({ backend, signal }) =>
    open({ ...rules, protocols, host }, backend, signal),
  );
}

function resolveProtocols(check: OptionCheck, value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item): item is string => typeof item === "string" && TOKEN.test(item)))
    return [...value];
  check.problem("protocols", value, "a list of names of subprotocols");
  return [];
}

interface OpeningRules extends HttpRules {
  readonly protocols: readonly string[];
  readonly host: string | undefined;
}

function open(rules: OpeningRules, backend: Backend, signal: AbortSignal): Promise<Finding> {
  return new Promise((resolve, reject) => {
    const url = checkUrl(backend, rules);
    const send = url.protocol === "https:" ? requestSecure : requestPlain;
    const key = randomBytes(16).toString("base64");
    const headers = openingHeaders(rules, backend, key);
    const request = send(url, { ...tlsOptionsOf(backend, rules.host), headers, agent: false, signal });
    const closed = (): void => reject(new Error("connection closed"));
    request.on("error", reject);
    request.once("close", closed);
    request.once("response", (response) => {
      resolve({ passed: false, reason: String(response.statusCode), certificateExpiresAt: expiryOf(response.socket) });
      response.on("error", () => {});
      response.destroy();
    });
    request.once("upgrade", (response: IncomingMessage, socket: Socket) => {
      // The request ends here, the socket does not.
      request.off("close", closed);
      const wrong = whatIsWrong(response, key, rules.protocols);
      const reason = wrong ?? "101";
      const finding = { passed: wrong === undefined, reason, certificateExpiresAt: expiryOf(socket) };
      close(socket, signal, finding.passed, () => resolve(finding));
    });
    request.end();
  });
}

function openingHeaders(
  { headers, protocols, host }: OpeningRules,
  backend: Backend,
  key: string,
): OutgoingHttpHeaders {
  return {
    "user-agent": USER_AGENT,
    ...headers,
    ...hostHeader(backend, host),
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": key,
    ...(protocols.length === 0 ? {} : { "sec-websocket-protocol": protocols.join(", ") }),
  };
}

/** What RFC 6455 §4.1 tells a client to check. */
function whatIsWrong({ headers }: IncomingMessage, key: string, protocols: readonly string[]): string | undefined {
  const accept = createHash("sha1").update(`${key}${GUID}`).digest("base64");
  if (headers.upgrade?.toLowerCase() !== "websocket") return "101, but no upgrade to websocket";
  if (headers["sec-websocket-accept"]?.trim() !== accept) return "101, but a wrong Sec-WebSocket-Accept";
  if (headers["sec-websocket-extensions"] !== undefined) return "101, but with an extension that was not offered";
  const protocol = headers["sec-websocket-protocol"];
  const agreed = protocol === undefined ? protocols.length === 0 : protocols.includes(protocol);
  return agreed ? undefined : "101, but without a protocol that was offered";
}

/** Sends a close frame with 1000, if this is a WebSocket at all, and waits a moment for the backend to close. */
function close(socket: Socket, signal: AbortSignal, politely: boolean, closed: () => void): void {
  const give = (): void => void socket.destroy();
  let received = 0;
  signal.addEventListener("abort", give, { once: true });
  socket.setTimeout(CLOSE_IDLE_MS, give);
  socket.on("error", () => {});
  socket.on("data", (chunk: Uint8Array) => {
    received += chunk.length;
    if (received > CLOSE_BYTES) give();
  });
  socket.once("close", () => {
    signal.removeEventListener("abort", give);
    closed();
  });
  if (politely) socket.end(closeFrame());
  else give();
}

/** FIN, opcode 8, two masked bytes: the status 1000 (RFC 6455 §5.2, §5.5.1). */
function closeFrame(): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0] = randomBytes(4);
  return Uint8Array.of(0x88, 0x82, a, b, c, d, 0x03 ^ a, 0xe8 ^ b);
}
