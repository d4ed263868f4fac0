import { AsyncResource } from "node:async_hooks";
import type { DispatchOptions, Handler } from "../handler.ts";

/** A handler that may leave the line before its request is on its way. */
export interface WaitingHandler extends Handler {
  /** It stands in line; `place.leave(…)` takes it out. */
  onWaiting?(place: Place): void;
}

/** A request's place in the line. In itself it is what keeps the async context of whoever made the request. */
export class Place extends AsyncResource {
  readonly options: DispatchOptions;
  readonly handler: Handler;
  readonly #line: Set<Place>;

  constructor(options: DispatchOptions, handler: Handler, line: Set<Place>) {
    super("FAIRLEAD_WAITING_REQUEST");
    this.options = options;
    this.handler = handler;
    this.#line = line;
  }

  /** Its request will not be made: the handler is told `error`, unless it is on its way already. */
  leave(error: unknown): void {
    if (this.#line.delete(this)) this.handler.onResponseError?.(null as never, error as Error);
  }
}

/** The requests for which no connection is free; first come, first served. */
export class WaitingLine {
  readonly #places = new Set<Place>();

  get length(): number {
    return this.#places.size;
  }

  join(options: DispatchOptions, handler: WaitingHandler): void {
    const place = new Place(options, handler, this.#places);
    this.#places.add(place);
    handler.onWaiting?.(place);
  }

  take(): Place | undefined {
    for (const place of this.#places) {
      this.#places.delete(place);
      return place;
    }
    return undefined;
  }

  fail(error: Error): void {
    // Those who come in the meantime are not meant.
    for (const place of Array.from(this.#places)) place.leave(error);
  }
}
