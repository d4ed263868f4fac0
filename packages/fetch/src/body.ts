import type { FairleadError } from "@fairlead/core";
import { blameNobody } from "./classify.ts";
import { BodyMeter, type ByteLimit } from "./request-bytes.ts";

type Chunk = Uint8Array<ArrayBuffer>;
type OneShotSource = ReadableStream | AsyncIterable<unknown> | Iterable<unknown>;

interface Read {
  readonly done?: boolean | undefined;
  readonly value?: unknown;
}

/** Sees a body being read: `asked` when a chunk is wanted, `got` when it has come, or the end. */
export interface BodyWatch {
  asked(): void;
  got(isEnd: boolean): void;
}

interface Puller {
  read(): Promise<Read>;
  cancel(reason: unknown): Promise<unknown>;
}

/** Whether a body is gone once it was sent. All other kinds (text, bytes, forms, blobs) can be sent again. */
export function isOneShot(body: unknown): body is ReadableStream | AsyncIterable<unknown> {
  return typeof body === "object" && body !== null && ("getReader" in body || Symbol.asyncIterator in body);
}

/**
 * A body that can be sent once. Each attempt gets a stream of its own over it, so that it is known for sure what was
 * read, and an attempt that is given up takes nothing with it.
 *
 * The first chunk is kept until the second is read: undici's `fetch` reads one before it has a connection (it tees the
 * stream), and without it no stream could go to another backend. More is never buffered.
 */
export class OneShotBody {
  readonly #source: OneShotSource;
  #puller: Puller | undefined;
  #first: Promise<Read> | undefined;
  /** More was read than is kept: it cannot be sent again. */
  consumed = false;
  /** It was the body that failed, not the backend. */
  failed = false;
  /** How long it may be. */
  limit: ByteLimit | undefined = undefined;
  /** Who sees it being read. */
  watch: BodyWatch | undefined = undefined;
  /** The error of a body that was longer. */
  tooLong: FairleadError | undefined = undefined;

  /** @throws TypeError if somebody else reads it */
  constructor(source: OneShotSource) {
    if ("locked" in source && source.locked) throw new TypeError("The body is locked or was read before");
    this.#source = source;
  }

  /**
   * The stream for one attempt.
   *
   * @throws TypeError if it was read: whoever says that another attempt may be made, what is left of a body is not sent
   */
  open(): ReadableStream<Chunk> {
    if (this.consumed) throw alreadyRead();
    let first = true;
    const meter = this.limit === undefined ? undefined : new BodyMeter(this.limit);
    return new ReadableStream<Chunk>(
      {
        pull: async (controller) => {
          const read = first ? this.#readFirst() : this.#readOn();
          first = false;
          const { done, value } = await this.#watched(read);
          if (done === true) controller.close();
          else controller.enqueue(this.#measured(toBytes(value), meter));
        },
        cancel: async (reason) => {
          if (this.consumed) await this.#pull().cancel(reason);
        },
      },
      // Nothing is read before somebody asks.
      { highWaterMark: 0 },
    );
  }

  /** The call is over: the source is told, so that it can free what it holds. */
  dispose(reason: unknown): void {
    if (this.consumed) return;
    this.consumed = true;
    this.#cancel(reason);
  }

  /** A source that is being read, or fails at this, needs no telling. */
  #cancel(reason: unknown): void {
    this.#pull()
      .cancel(reason)
      .catch(() => {});
  }

  #readFirst(): Promise<Read> {
    this.#first ??= this.#pull().read();
    return this.#first;
  }

  #readOn(): Promise<Read> {
    this.consumed = true;
    this.#first = undefined;
    return this.#pull().read();
  }

  #measured(chunk: Chunk, meter: BodyMeter | undefined): Chunk {
    const tooLong = meter?.count(chunk);
    if (tooLong === undefined) return chunk;
    this.failed = true;
    this.tooLong = tooLong;
    this.consumed = true;
    this.#cancel(tooLong);
    throw tooLong;
  }

  async #watched(read: Promise<Read>): Promise<Read> {
    this.watch?.asked();
    try {
      const chunk = await read;
      this.watch?.got(chunk.done === true);
      return chunk;
    } catch (error) {
      this.failed = true;
      throw error;
    }
  }

  #pull(): Puller {
    this.#puller ??= pullerOf(this.#source);
    return this.#puller;
  }
}

/** Somebody's classifier has asked for an attempt that can't be made; its backend has nothing to do with that. */
export function alreadyRead(): TypeError {
  const error = new TypeError("The body was read by an earlier attempt, and can't be sent again");
  blameNobody(error);
  return error;
}

function pullerOf(source: OneShotSource): Puller {
  if ("getReader" in source) return source.getReader();
  const iterator: AsyncIterator<unknown> | Iterator<unknown> =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return { read: async () => iterator.next(), cancel: async (reason) => iterator.return?.(reason) };
}

function toBytes(chunk: unknown): Chunk {
  if (typeof chunk === "string") return new TextEncoder().encode(chunk);
  return chunk as Chunk;
}
