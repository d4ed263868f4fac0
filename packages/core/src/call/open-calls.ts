import type { FairleadError } from "../errors.ts";

/** A call that has not ended, as the list of all such calls sees it. */
export interface OpenCall {
  previous: OpenCall | undefined;
  next: OpenCall | undefined;
  /** The balancer begins to close: a call between two attempts ends with what it has. */
  stopRepeating(): void;
  /** The balancer closes: the call ends, whatever it is doing, body included. */
  close(error: FairleadError): void;
  /** Whether it should have come to its end long ago: its request is gone, and its timers are with it. */
  isGone(nowMs: number): boolean;
  /** Gives back what it holds; nobody hears of its end. */
  abandon(): void;
}

/** The calls under way, as a linked list: a `Set` stood out in profiles of the way of a call. */
export class OpenCalls {
  #first: OpenCall | undefined = undefined;

  add(call: OpenCall): void {
    call.next = this.#first;
    if (this.#first !== undefined) this.#first.previous = call;
    this.#first = call;
  }

  /** Does nothing for a call that is not in the list. */
  delete(call: OpenCall): void {
    if (call.previous !== undefined) call.previous.next = call.next;
    else if (this.#first === call) this.#first = call.next;
    if (call.next !== undefined) call.next.previous = call.previous;
    call.previous = undefined;
    call.next = undefined;
  }

  /** Where a request may be gone without a word (workerd), so may its calls. */
  abandonGone(nowMs: number): void {
    for (let call = this.#first; call !== undefined; ) {
      const { next } = call;
      if (call.isGone(nowMs)) call.abandon();
      call = next;
    }
  }

  stopRepeating(): void {
    for (let call = this.#first; call !== undefined; ) {
      // Ending one takes it out of the list.
      const { next } = call;
      call.stopRepeating();
      call = next;
    }
  }

  closeAll(error: FairleadError): void {
    // Ending one may end others, so that each time the first one left is next.
    for (let call = this.#first; call !== undefined; call = this.#first) {
      call.close(error);
      this.delete(call);
    }
  }
}
