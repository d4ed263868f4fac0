import { isOneShot, OneShotBody } from "./body.ts";
import { blameNobody } from "./classify.ts";
import { type ByteLimit, refuseLongBody } from "./request-bytes.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** What a request can have for a body. Node's streams are iterables as well. */
export type MadeBody = BodyInit | AsyncIterable<Uint8Array | string>;

/** Makes a body, anew for each attempt, redirects included. */
export type BodyFactory = () => MadeBody | Promise<MadeBody>;

/** A body that is made anew for each attempt, so that even a stream can be sent again. */
export class FactoryBody {
  readonly #make: BodyFactory;
  readonly #streams: OneShotBody[] = [];
  /** A body could not be made, or failed, by an error that can't be marked as nobody's fault. */
  failed = false;
  /** How long it may be. */
  limit: ByteLimit | undefined = undefined;

  constructor(make: BodyFactory) {
    this.#make = make;
  }

  /** The error of a body that was longer than it may be. */
  get tooLong(): unknown {
    return this.#streams.find(({ tooLong }) => tooLong !== undefined)?.tooLong;
  }

  /** The same for another call, which is to know nothing of this one's bodies. */
  another(): FactoryBody {
    const other = new FactoryBody(this.#make);
    other.limit = this.limit;
    return other;
  }

  /**
   * Sends one attempt with a body of its own. If that fails, and once `signal` is aborted, the body is let go of: files and
   * the like can be closed.
   *
   * @throws what the factory throws; nobody is blamed for it. FairleadError `FAIRLEAD_ERR_LIMIT`
   */
  async sendBy<T>(send: (body: BodyInit) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const made = this.#made();
    let body: MadeBody;
    try {
      body = await unlessAborted(made, signal);
    } catch (error) {
      made.then((late) => letGo(late, error)).catch(() => {});
      throw error;
    }
    if (isOneShot(body)) return this.#sendStream(new OneShotBody(body), send, signal);
    refuseLongBody(this.limit, undefined, body);
    return send(body);
  }

  /** The call has failed: nothing that is still being sent is of use. */
  dispose(reason: unknown): void {
    for (const stream of this.#streams) stream.dispose(reason);
  }

  async #sendStream<T>(
    stream: OneShotBody,
    send: (body: BodyInit) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    stream.limit = this.limit;
    this.#streams.push(stream);
    const body = stream.open();
    // Nobody opens it again: who cancels what is sent ends the source.
    stream.consumed = true;
    try {
      signal?.throwIfAborted();
      return await send(body);
    } catch (error) {
      if (stream.failed) this.#excuse(error);
      stream.dispose(error);
      throw error;
    }
  }

  #excuse(error: unknown): void {
    if (typeof error === "object" && error !== null) blameNobody(error);
    else this.failed = true;
  }

  async #made(): Promise<MadeBody> {
    try {
      return await this.#make();
    } catch (error) {
      this.#excuse(error);
      throw error;
    }
  }
}

/** It has come too late to be sent. */
function letGo(body: MadeBody, reason: unknown): void {
  if (isOneShot(body)) new OneShotBody(body).dispose(reason);
}
