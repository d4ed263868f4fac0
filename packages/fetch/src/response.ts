import type { Attempt, Balancer, Report } from "@fairlead/core";
import { errorCodeOf } from "@fairlead/core";
import { byteStream } from "./byte-stream.ts";

/** What of an unwanted answer is read, in bytes, to keep its connection; more is not worth it. */
const DRAIN_LIMIT = 64 * 1024;

/** Statuses whose responses have no body: `Response` refuses one. Source: Fetch §2.2.3, null body status. */
export const WITHOUT_BODY: ReadonlySet<number | undefined> = new Set([204, 205, 304]);

/**
 * The platform's response with the logical URL, and a body whose end gives the attempt's place back.
 *
 * A body is passed on through a stream of ours in a new `Response`: patched properties would miss whoever reads the
 * response natively (a service worker, `new Response(response.body)`), and the place would never come back.
 */
export function present(
  response: Response,
  url: string,
  redirected: boolean,
  attempt: Attempt,
  balancer: Balancer,
): Response {
  const { body, status } = response;
  // Opaque responses (status 0) and what HTTP does not know (above 599) can't be made anew. Browsers give a 204 a stream.
  const tracked =
    body === null || status < 200 || status > 599 || WITHOUT_BODY.has(status)
      ? response
      : new Response(track(body, attempt, balancer), {
          status,
          statusText: reasonPhrase(response.statusText),
          headers: response.headers,
        });
  return withUrl(tracked, url, redirected, response);
}

const REASON_PHRASE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What `Response` takes for a status text, or none: backends send anything (RFC 9112 §4). */
export function reasonPhrase(text: string): string {
  return REASON_PHRASE.test(text) ? text : "";
}

/**
 * Shows where a response came from, in the terms of the caller. The rest, such as `headers` that nobody may change, stays
 * that of the one that was `received`. `clone()` keeps all that.
 */
export function withUrl(
  response: Response,
  url: string,
  redirected: boolean,
  received: Pick<Response, "type" | "statusText" | "headers"> = response,
): Response {
  const { type, statusText, headers } = received;
  const clone = () => withUrl(Response.prototype.clone.call(response), url, redirected, { type, statusText, headers });
  return Object.defineProperties(response, {
    url: { value: url, configurable: true },
    redirected: { value: redirected, configurable: true },
    type: { value: type, configurable: true },
    statusText: { value: statusText, configurable: true },
    headers: { value: headers, configurable: true },
    clone: { value: clone, configurable: true, writable: true },
  });
}

/** Passes a body on, holds the attempt until it ends, and ends it when no byte came for `bodyIdleTimeoutMs`. */
function track(body: ReadableStream<Uint8Array<ArrayBuffer>>, attempt: Attempt, balancer: Balancer): ReadableStream {
  const reader = body.getReader();
  const release = attempt.hold();
  attempt.touch();
  const idleMs = balancer.settings.bodyIdleTimeoutMs;
  const read = () =>
    idleMs === false ? reader.read() : withinIdleTime(balancer, idleMs, reader.read(), (error) => reader.cancel(error));
  const next = async (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    try {
      for (;;) {
        const { done, value } = await read();
        attempt.touch();
        if (done) release();
        if (done || value.byteLength > 0) return value;
      }
    } catch (error) {
      // An abort is the caller's doing.
      release(attempt.signal.aborted ? undefined : streamFailure(error));
      throw error;
    }
  };
  // The function lives as long as the stream can be read. The stream's own object does not: Chromium lets go of it while
  // `text()` and the like still read what is behind it.
  forgotten?.register(next, () => {
    release();
    reader.cancel().catch(() => {});
  });
  return byteStream(next, (reason) => {
    release();
    return reader.cancel(reason);
  });
}

/** A long body that nobody reads nor cancels would hold its place for ever: it ends when it is garbage. */
const forgotten: FinalizationRegistry<() => void> | undefined =
  typeof FinalizationRegistry === "undefined" ? undefined : new FinalizationRegistry((end) => end());

function withinIdleTime<T>(
  balancer: Balancer,
  idleMs: number,
  read: Promise<T>,
  cancel: (error: unknown) => Promise<void>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = balancer.clock.schedule(idleMs, () => {
      const error = new DOMException(`no byte of the body came within ${idleMs} ms`, "TimeoutError");
      reject(error);
      cancel(error).catch(() => {});
    });
    read.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** The verdict on an answer that began well and broke. */
export function streamFailure(error: unknown): Report {
  return { outcome: "failure", origin: "local", errorCode: errorCodeOf(error) };
}

/** Whether that is a response, of whatever class: there may be several. */
export function isResponse(value: unknown): value is Response {
  if (typeof value !== "object" || value === null) return false;
  const { status, headers } = value as Partial<Response>;
  return typeof status === "number" && typeof headers?.get === "function";
}

/** Lets go of a response that nobody will read: little is read, so that the connection can serve again. */
export function discard(response: Response): void {
  if (response.body === null || response.bodyUsed) return;
  drain(response.body).catch(() => {});
}

async function drain(body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  let left = DRAIN_LIMIT;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    left -= value.byteLength;
    if (left < 0) {
      await reader.cancel();
      return;
    }
  }
}
