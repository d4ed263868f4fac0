import type { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { Attempt } from "@fairlead/core";
import { reasonPhrase, WITHOUT_BODY } from "../response.ts";
import { Exchange } from "./exchange.ts";
import { type Controller, type DispatchOptions, type Handler, toRaw } from "./handler.ts";
import type { BackendPool } from "./pools.ts";

const NO_HANDLER: Handler = {};

/** Read ahead, in bytes, as in undici's own `fetch`. */
const READ_AHEAD = 64 * 1024;
const STRATEGY = { highWaterMark: READ_AHEAD, size: (chunk: Uint8Array): number => chunk.byteLength };

type Body = ReadableStreamDefaultController<Uint8Array>;

/** One attempt of `createForward`: its answer as a `Response` whose body streams from the connection, with its backpressure. */
export class ForwardExchange extends Exchange {
  readonly #method: string;
  /** Until there is an answer: afterwards nothing here is to keep it alive. */
  #resolve: ((response: Response) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;
  /** While the reader wants more. */
  #body: Body | undefined = undefined;
  /** While it does not: a body that is forgotten then is to become garbage. */
  #resting: WeakRef<Body> | undefined = undefined;

  constructor(attempt: Attempt, method: string) {
    super(attempt, NO_HANDLER);
    this.#method = method;
    attempt.markSent(false);
    attempt.onAbort(this);
  }

  send(pool: BackendPool["pool"], options: DispatchOptions): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      pool.dispatch(options, this);
    });
  }

  override onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: IncomingHttpHeaders,
    statusText = "",
  ): void {
    // Informational: nothing that a `Response` could say.
    if (statusCode < 200) return;
    super.onResponseStart(controller, statusCode, headers, statusText);
    const body = this.#isEmpty(statusCode) ? null : this.#stream(controller);
    const init = {
      status: statusCode,
      statusText: reasonPhrase(statusText),
      headers: pairsOf(controller.rawHeaders ?? headers),
    };
    this.#resolve?.(new Response(body, init));
    this.#resolve = undefined;
    this.#reject = undefined;
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    const body = this.#open;
    if (body === undefined) return;
    body.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if ((body.desiredSize ?? 0) > 0) return;
    controller.pause();
    this.#rest(body);
  }

  override onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    super.onResponseEnd(controller, trailers);
    this.#open?.close();
    this.#end();
  }

  override onResponseError(controller: Controller, error: Error): void {
    super.onResponseError(controller, error);
    this.#open?.error(error);
    this.#end();
    this.#reject?.(error);
  }

  get #open(): Body | undefined {
    return this.#body ?? this.#resting?.deref();
  }

  #rest(body: Body): void {
    if (this.#resting === undefined) {
      this.#resting = new WeakRef(body);
      forgotten.register(body, this);
    }
    this.#body = undefined;
  }

  #end(): void {
    this.#body = undefined;
    this.#resting = undefined;
  }

  #isEmpty(status: number): boolean {
    return this.#method === "HEAD" || WITHOUT_BODY.has(status);
  }

  #stream(controller: Controller): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (body) => {
          this.#body = body;
        },
        pull: (body) => {
          this.#body = body;
          controller.resume();
        },
        cancel: (reason) => {
          this.#end();
          controller.abort(reason instanceof Error ? reason : new Error("the body was cancelled", { cause: reason }));
        },
      },
      STRATEGY,
    );
  }
}

/** A long body that nobody reads nor cancels would hold its place for ever: it ends when it is garbage. */
const forgotten = new FinalizationRegistry<ForwardExchange>((exchange) =>
  exchange.abort(new Error("nobody reads the body")),
);

/** Header values are bytes: what is no ASCII is handed on as it came. */
function pairsOf(headers: Parameters<typeof toRaw>[0]): [string, string][] {
  const raw = toRaw(headers);
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    pairs.push([textOf(raw[index] ?? ""), textOf(raw[index + 1] ?? "")]);
  return pairs;
}

function textOf(value: Buffer | string): string {
  return typeof value === "string" ? value : value.toString("latin1");
}
