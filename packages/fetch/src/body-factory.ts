import { isOneShot, OneShotBody } from "./body.ts";
import { blameNobody } from "./classify.ts";
import { type ByteLimit, refuseLongBody } from "./request-bytes.ts";

/** What a request can have for a body. Node's streams are iterables as well. */
export type MadeBody = BodyInit | AsyncIterable<Uint8Array | string>;

/** Makes a body, anew for each attempt, redirects included. */
export type BodyFactory = () => MadeBody | Promise<MadeBody>;

/** A body that is made anew for each attempt, so that even a stream can be sent again. */
export class FactoryBody {
  readonly #make: BodyFactory;
  readonly #streams: OneShotBody[] = [];
  #failed = false;
  /** How long it may be. */
  limit: ByteLimit | undefined = undefined;

  constructor(make: BodyFactory) {
    this.#make = make;
  }

  /** It was a body that failed, or could not be made: not the backend. */
  get failed(): boolean {
    return this.#failed || this.#streams.some(({ failed }) => failed);
  }

  /** The error of a body that was longer than it may be. */
  get tooLong(): unknown {
    return this.#streams.find(({ tooLong }) => tooLong !== undefined)?.tooLong;
  }

  /**
   * The body of one attempt.
   *
   * @throws what the factory throws; nobody is blamed for it. FairleadError `FAIRLEAD_ERR_LIMIT`
   */
  async open(): Promise<BodyInit> {
    const body = await this.#made();
    if (!isOneShot(body)) {
      refuseLongBody(this.limit, undefined, body);
      return body;
    }
    const stream = new OneShotBody(body);
    stream.limit = this.limit;
    this.#streams.push(stream);
    return stream.open();
  }

  /** The call has failed: files and the like can be closed. */
  dispose(reason: unknown): void {
    for (const stream of this.#streams) stream.dispose(reason);
  }

  async #made(): Promise<MadeBody> {
    try {
      return await this.#make();
    } catch (error) {
      this.#failed = true;
      blameNobody(error);
      throw error;
    }
  }
}
