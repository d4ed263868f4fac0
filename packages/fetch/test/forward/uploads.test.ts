// The time for an answer begins when the body has been sent: how long that takes is the client's doing.
import { getEventListeners } from "node:events";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test, vi } from "vitest";
import { createForward, type Transport } from "../../src/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { CLIENT } from "../support/forwarding.ts";

/** Reads the body as fast as it comes, unless it is not to, and answers when it is told to. */
function backend(reads = true): { readonly transport: Transport; chunks: number; answer(): void; ended: boolean } {
  const gate = Promise.withResolvers<Response>();
  const state = { transport, chunks: 0, ended: false, answer: () => gate.resolve(new Response("stored")) };
  async function transport(_url: string, init: RequestInit): Promise<Response> {
    init.signal?.addEventListener("abort", () => gate.reject(init.signal?.reason));
    const reader = (init.body as ReadableStream<Uint8Array>).getReader();
    const read = async (): Promise<void> => {
      for (;;) {
        const { done } = await reader.read();
        if (done) break;
        state.chunks++;
        if (!reads) return;
      }
      state.ended = true;
    };
    read().catch(() => {});
    return gate.promise;
  }
  return state;
}

interface Sent {
  readonly clock: ReturnType<typeof virtualClock>;
  readonly balancer: ReturnType<typeof balancerOver>;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  readonly response: Promise<Response>;
  readonly signal: AbortController;
  /** What still listens to the client's leaving. */
  readonly listeners: () => number;
}

function send(transport: Transport, options: { retry?: false } = {}): Sent {
  const clock = virtualClock();
  const timeouts = { attemptTimeoutMs: 1_000, deadlineMs: 3_000, bodyIdleTimeoutMs: 5_000 };
  const balancer = balancerOver(["http://127.0.0.1:1"], { clock, ...timeouts, ...options });
  const forward = createForward(balancer, { fetch: transport });
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (own) => {
      controller = own;
    },
  });
  const signal = new AbortController();
  const init = { method: "POST", body, duplex: "half" as const, signal: signal.signal };
  const request = new Request("http://shop.example.com/", init);
  const listeners = (): number => getEventListeners(request.signal, "abort").length;
  const response = forward(request, CLIENT);
  response.catch(() => {});
  return {
    clock,
    balancer,
    controller: controller as ReadableStreamDefaultController<Uint8Array>,
    response,
    signal,
    listeners,
  };
}

const CHUNK = new Uint8Array(10);

describe("an upload", () => {
  test("may take as long as it likes, as long as something comes", async () => {
    const state = backend();
    const { clock, balancer, controller, response, listeners } = send(state.transport);
    expect(listeners()).toBe(1);
    for (let chunk = 1; chunk <= 20; chunk++) {
      controller.enqueue(CHUNK);
      await vi.waitFor(() => expect(state.chunks).toBe(chunk));
      await clock.advance(4_000);
    }
    controller.close();
    await vi.waitFor(() => expect(state.ended).toBe(true));
    await clock.advance(900);
    state.answer();
    expect(await (await response).text()).toBe("stored");
    expect(counters(balancer, 0)).toMatchObject({ successes: 1, failures: 0 });
    await idle(balancer);
    expect([clock.pending, listeners()]).toEqual([0, 0]);
  });

  test("whose answer takes too long is a 504, and the backend's fault", async () => {
    const state = backend();
    const { clock, balancer, controller, response } = send(state.transport);
    controller.enqueue(CHUNK);
    controller.close();
    await vi.waitFor(() => expect(state.ended).toBe(true));
    await clock.advance(1_001);
    expect((await response).status).toBe(504);
    expect(counters(balancer, 0).failures).toBe(1);
    await idle(balancer);
  });

  test("that stalls is a 408, and no backend's fault", async () => {
    const state = backend();
    const { clock, balancer, controller, response } = send(state.transport);
    controller.enqueue(CHUNK);
    await vi.waitFor(() => expect(state.chunks).toBe(1));
    await clock.advance(5_001);
    expect((await response).status).toBe(408);
    expect(counters(balancer, 0).failures).toBe(0);
    await idle(balancer);
  });

  test("that the backend does not take is a 504, and the backend's fault", async () => {
    const state = backend(false);
    const { clock, balancer, controller, response } = send(state.transport);
    controller.enqueue(CHUNK);
    controller.enqueue(CHUNK);
    await vi.waitFor(() => expect(state.chunks).toBe(1));
    await clock.advance(5_001);
    expect((await response).status).toBe(504);
    expect(counters(balancer, 0).failures).toBe(1);
    await idle(balancer);
  });

  test("whose client leaves ends with its reason, and leaves no listener and no timer", async () => {
    const state = backend();
    const { clock, balancer, controller, response, signal } = send(state.transport);
    controller.enqueue(CHUNK);
    await vi.waitFor(() => expect(state.chunks).toBe(1));
    const reason = new Error("gone");
    signal.abort(reason);
    await expect(response).rejects.toBe(reason);
    await idle(balancer);
    expect(clock.pending).toBe(0);
  });
});
