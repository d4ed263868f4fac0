import { type Attempt, type Balancer, type Clock, catchLater, errorCodeOf } from "@fairlead/core";
import type { Addressed } from "../outgoing.ts";
import type { AccessRecord } from "./contract.ts";
import type { PublicOrigin } from "./request-headers.ts";
import type { Session } from "./session.ts";
import type { Client } from "./trust.ts";
import type { Upload } from "./upload.ts";
import { WatchedAttempt } from "./watched-attempt.ts";

/** What the log says of a client that has left before there was an answer. Source: nginx. */
const CLIENT_LEFT = 499;

/** One request on its way through, from its coming to the end of its response. */
export class Passage {
  readonly request: Request;
  readonly #clock: Clock;
  readonly #anyBalancer: Balancer | undefined;
  readonly #log: ((record: AccessRecord) => void) | undefined;
  readonly #isTunnel: boolean;
  readonly #startedMs: number;
  client: Client | undefined = undefined;
  requestId: string | undefined = undefined;
  /** Where the client thinks it is. */
  origin: PublicOrigin = { proto: "http", host: "" };
  addressed: Addressed | undefined = undefined;
  session: Session | undefined = undefined;
  /** Of a request with a body. */
  upload: Upload | undefined = undefined;
  /** Gives back what it takes up of its client's connections. */
  leave: (() => void) | undefined = undefined;
  #attempts = 0;
  /** Answers that have come, and by which attempt; until one is taken. */
  readonly #answers = new Map<unknown, WatchedAttempt>();
  #answered: WatchedAttempt | undefined = undefined;
  #status = 0;
  #headersMs = 0;
  #errorCode: string | undefined = undefined;

  /** @param balancer tells of failures before it is known where the request goes */
  constructor(
    request: Request,
    balancer: Balancer | undefined,
    clock: Clock,
    log: ((record: AccessRecord) => void) | undefined,
    isTunnel: boolean,
  ) {
    this.request = request;
    this.#anyBalancer = balancer;
    this.#clock = clock;
    this.#log = log;
    this.#isTunnel = isTunnel;
    this.#startedMs = clock.now();
  }

  /** Makes an attempt, and keeps in mind whose answer it was. */
  async watch<T>(attempt: Attempt, send: (attempt: Attempt) => Promise<T>): Promise<T> {
    this.#attempts++;
    const watched = new WatchedAttempt(attempt);
    if (this.upload !== undefined) this.upload.attempt = watched;
    const answer = await send(watched);
    this.#answers.set(answer, watched);
    return answer;
  }

  /** Whether that is an answer to one of the attempts. */
  knows(answer: unknown): boolean {
    return this.#answers.has(answer);
  }

  /** The attempt whose answer was taken. Nothing keeps the answers: one that is forgotten is to become garbage. */
  take(answer: unknown): WatchedAttempt | undefined {
    this.#answered = this.#answers.get(answer);
    this.#answers.clear();
    return this.#answered;
  }

  /** The client gets its headers; the end comes with the attempt's. */
  answer(status: number): void {
    this.#status = status;
    this.#headersMs = this.#elapsedMs();
    this.upload?.settled();
    if (this.#answered === undefined) this.#end(undefined);
    else this.#answered.whenFree((late) => this.#end(late?.errorCode));
  }

  /** There is no answer of a backend; the client has left, or gets `status`. */
  fail(error: unknown, status: number = CLIENT_LEFT): void {
    this.#answers.clear();
    this.#answered = undefined;
    this.#status = status;
    this.#headersMs = this.#elapsedMs();
    this.#end(errorCodeOf(error));
  }

  /** A function of the user has failed. */
  callbackFailed(where: string, error: unknown): void {
    const balancer = this.addressed?.to.balancer ?? this.#anyBalancer;
    balancer?.announce("callbackFailed", () => ({ upstream: balancer.name, where, error }));
  }

  #end(errorCode: string | undefined): void {
    this.upload?.end();
    this.leave?.();
    this.leave = undefined;
    if (this.#log === undefined) return;
    this.#errorCode = errorCode ?? abortCode(this.request.signal) ?? abortCode(this.#answered?.signal);
    this.#tell(this.#log);
  }

  #tell(log: (record: AccessRecord) => void): void {
    const failed = (error: unknown): void => this.callbackFailed("accessLog", error);
    try {
      catchLater(log(this.#record()), failed);
    } catch (error) {
      failed(error);
    }
  }

  #record(): AccessRecord {
    const { method, url } = this.request;
    const to = this.addressed?.to;
    const { host, path } = placeOf(this.addressed?.url.href ?? url);
    const totalMs = this.#elapsedMs();
    return {
      startedAt: this.#clock.wallNow() - totalMs,
      method,
      path,
      host,
      clientIp: this.client?.ip,
      requestId: this.requestId,
      upstream: this.#answered?.balancer.name ?? to?.balancer.name,
      route: to?.match?.route,
      backend: this.#answered?.backend.id,
      status: this.#status,
      attempts: this.#attempts,
      headersMs: this.#headersMs,
      totalMs,
      errorCode: this.#errorCode,
      tunnel: this.#isTunnel,
    };
  }

  #elapsedMs(): number {
    return this.#clock.now() - this.#startedMs;
  }
}

/** Why it was ended by the client, or by a balancer that closes. */
function abortCode(signal: AbortSignal | undefined): string | undefined {
  return signal?.aborted === true ? errorCodeOf(signal.reason) : undefined;
}

/** Of a URL that may be malformed: without its query. */
function placeOf(url: string): { readonly host: string; readonly path: string } {
  const [, host = "", path = url] = /^[a-z]+:\/\/([^/?#]*)([^?#]*)/i.exec(url) ?? [];
  return { host, path };
}
