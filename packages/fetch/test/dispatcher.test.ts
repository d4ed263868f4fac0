import { once } from "node:events";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { Agent, type Dispatcher, getGlobalDispatcher, request, upgrade } from "undici";
import { describe, expect, test, vi } from "vitest";
import { BalancedDispatcher, balance } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { deadPort, httpServer, rawServer } from "./support/servers.ts";

/** A handler that notes what it is told. */
class Notes implements Dispatcher.DispatchHandler {
  readonly events: string[] = [];
  readonly controllers = new Set<unknown>();
  readonly ended = Promise.withResolvers<void>();
  controller: Dispatcher.DispatchController | undefined;
  body = "";

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#note("start", controller);
    this.controller = controller;
  }
  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    this.#note(`headers ${status}`, controller);
  }
  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.controllers.add(controller);
    this.body += chunk.toString();
  }
  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#note("end", controller);
    this.ended.resolve();
  }
  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#note(`error ${error.message}`, controller);
    this.ended.resolve();
  }
  #note(event: string, controller: unknown): void {
    this.events.push(event);
    this.controllers.add(controller);
  }
}

const GET = { origin: "http://orders", path: "/", method: "GET" } as const;

describe("BalancedDispatcher", () => {
  test("tells a handler of one request, by one controller, whatever it took", async () => {
    const bad = await httpServer((_request, response) => response.writeHead(503).end("no"));
    const good = await httpServer((_request, response) => response.end("yes"));
    const balancer = balancerOver([await deadPort(), bad.url, good.url], { retry: { delayMs: 0 } });
    const notes = new Notes();
    expect(new BalancedDispatcher(balancer).dispatch(GET, notes)).toBe(true);
    await notes.ended.promise;
    expect(notes.events).toEqual(["start", "headers 200", "end"]);
    expect([notes.body, notes.controllers.size]).toEqual(["yes", 1]);
    expect(balancer.snapshot().calls).toMatchObject({ succeeded: 1, requeues: 1, retries: 1 });
    await idle(balancer);
  });

  test("hands over what was held back, whole, when no other backend does better", async () => {
    const bad = await httpServer((_request, response) => {
      response.writeHead(502);
      response.write("sorry, ");
      setImmediate(() => response.end("no"));
    });
    const balancer = balancerOver([bad.url], { retry: { limit: 0 } });
    const notes = new Notes();
    new BalancedDispatcher(balancer).dispatch(GET, notes);
    await notes.ended.promise;
    expect([notes.events, notes.body]).toEqual([["start", "headers 502", "end"], "sorry, no"]);
    await idle(balancer);
  });

  test("keeps a caller's pause across attempts, and resumes when told", async () => {
    const bad = await httpServer((_request, response) => response.writeHead(502).end("no"));
    const good = await httpServer((_request, response) => response.end("x".repeat(1_000_000)));
    const balancer = balancerOver([bad.url, good.url], { retry: { delayMs: 0 } });
    const notes = new Notes();
    const start = notes.onRequestStart.bind(notes);
    notes.onRequestStart = (controller) => {
      start(controller);
      controller.pause();
    };
    new BalancedDispatcher(balancer).dispatch(GET, notes);
    await vi.waitFor(() => expect(notes.events).toContain("headers 200"));
    expect([notes.controller?.paused, notes.body.length]).toEqual([true, 0]);
    notes.controller?.resume();
    await notes.ended.promise;
    expect(notes.body.length).toBe(1_000_000);
    await idle(balancer);
  });

  test("streams through, with back-pressure", async () => {
    const good = await httpServer((_request, response) => response.end("x".repeat(3_000_000)));
    const balancer = balancerOver([good.url]);
    const { body } = await request("http://orders/", { dispatcher: new BalancedDispatcher(balancer) });
    expect(counters(balancer, 0).requests).toBe(1);
    expect((await text(body)).length).toBe(3_000_000);
    await idle(balancer);
  });

  test("repeats a PUT with bytes, and no PUT with a stream that was read", async () => {
    const bad = await rawServer((socket) => socket.destroy());
    const good = await httpServer();
    const dispatcher = new BalancedDispatcher(balancerOver([bad.url, good.url], { ejection: false }));
    const put = { method: "PUT", dispatcher } as const;
    const { body } = await request("http://orders/", { ...put, body: Buffer.from("hello") });
    expect(await body.json()).toMatchObject({ body: "hello" });
    await expect(fetch("http://orders/", { ...put, body: "hello" })).rejects.toThrow();
    expect([bad.received.length, good.received.length]).toEqual([2, 1]);
  });

  test("passes 1xx answers on", async () => {
    const server = await httpServer((_request, response) => {
      response.writeEarlyHints({ link: "</a>" });
      response.end("yes");
    });
    const onInfo = vi.fn();
    const dispatcher = new BalancedDispatcher(balancerOver([server.url]));
    const { body } = await request("http://orders/", { dispatcher, onInfo });
    expect(await text(body)).toBe("yes");
    expect(onInfo).toHaveBeenCalledWith(expect.objectContaining({ statusCode: 103 }));
  });

  test("passes upgrades on, and holds a place of their own kind until the socket closes", async () => {
    const server = await rawServer((socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    const balancer = balancerOver([await deadPort(), server.url]);
    const dispatcher = new BalancedDispatcher(balancer);
    const { socket } = await upgrade("http://orders/", { dispatcher, protocol: "echo" });
    socket.write("hello");
    const [chunk] = (await once(socket, "data")) as [Buffer];
    expect(chunk.toString()).toBe("hello");
    expect(counters(balancer, 1)).toMatchObject({ connections: 1, requests: 0, successes: 1 });
    socket.destroy();
    await idle(balancer);
  });

  test("passes other origins, and tunnels, through", async () => {
    const balancer = balancerOver([await deadPort()]);
    const dispatch = vi.fn(() => true);
    const dispatcher = new BalancedDispatcher(balancer, { passThrough: { dispatch } as unknown as Dispatcher });
    dispatcher.dispatch({ ...GET, origin: "http://elsewhere" }, new Notes());
    dispatcher.dispatch({ ...GET, method: "CONNECT" }, new Notes());
    expect(dispatch).toHaveBeenCalledTimes(2);
    expect(balancer.snapshot().calls.calls).toBe(0);
  });

  test("balances another origin if told so, and takes URL objects for origins", async () => {
    const good = await httpServer();
    const dispatcher = new BalancedDispatcher(balancerOver([good.url]), { origin: "http://other.test" });
    const notes = new Notes();
    dispatcher.dispatch({ ...GET, origin: new URL("http://other.test/") }, notes);
    await notes.ended.promise;
    expect(notes.events).toContain("headers 200");
  });

  test("reports mistakes in a request to its handler, and blames no backend", async () => {
    const good = await httpServer();
    const balancer = balancerOver([good.url]);
    const dispatcher = new BalancedDispatcher(balancer);
    for (const wrong of [{ headers: { "bad header": "x" } }, { path: "no slash" }, { method: "BAD METHOD" }]) {
      const notes = new Notes();
      dispatcher.dispatch({ ...GET, ...wrong }, notes);
      await notes.ended.promise;
      expect(notes.events.at(-1)).toMatch(/^error/);
    }
    expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0 });
    await idle(balancer);
  });

  test("survives a handler that throws", async () => {
    const bad = await httpServer((_request, response) => response.writeHead(502).end("no"));
    const balancer = balancerOver([bad.url], { retry: { limit: 0 } });
    const notes = new Notes();
    notes.onResponseStart = () => {
      throw new Error("broken handler");
    };
    new BalancedDispatcher(balancer).dispatch(GET, notes);
    await notes.ended.promise;
    expect(notes.events.at(-1)).toBe("error broken handler");
    await idle(balancer);
  });

  test("closes when the last request has ended, and leaves the balancer open", async () => {
    const asked = Promise.withResolvers<Socket>();
    const server = await rawServer((socket) => asked.resolve(socket));
    const balancer = balancerOver([server.url]);
    const dispatcher = new BalancedDispatcher(balancer);
    const notes = new Notes();
    dispatcher.dispatch(GET, notes);
    const socket = await asked.promise;
    const closed = dispatcher.close();
    const refused = new Notes();
    dispatcher.dispatch(GET, refused);
    expect(refused.events).toEqual([expect.stringMatching(/^error .*closed/)]);
    socket.end("HTTP/1.1 204 No Content\r\n\r\n");
    await closed;
    expect(notes.events).toEqual(["start", "headers 204", "end"]);
    expect(balancer.snapshot().state).toBe("open");
    await new Promise<void>((resolve) => dispatcher.close(resolve));
  });

  test("ends what is under way when it is destroyed", async () => {
    const asked = Promise.withResolvers<Socket>();
    const server = await rawServer((socket) => asked.resolve(socket));
    const balancer = balancerOver([server.url]);
    const dispatcher = new BalancedDispatcher(balancer);
    const notes = new Notes();
    dispatcher.dispatch(GET, notes);
    await asked.promise;
    await dispatcher.destroy(new Error("enough"));
    expect(notes.events).toEqual(["start", "error enough"]);
    await idle(balancer);
    await new Promise<void>((resolve) => dispatcher.destroy(resolve));
  });

  test("asks the balancer's classifier for its view on an answer", async () => {
    const odd = await httpServer((_request, response) => response.end("odd"));
    const good = await httpServer((_request, response) => response.setHeader("x-good", "1").end("good"));
    const balancer = balancerOver([odd.url, good.url], {
      retry: { delayMs: 0 },
      classify: ({ value }) => {
        const answer = value as { headers: Record<string, unknown> } | undefined;
        return answer?.headers["x-good"] === undefined ? "failure" : undefined;
      },
    });
    const { body } = await request("http://orders/", { dispatcher: new BalancedDispatcher(balancer) });
    expect(await text(body)).toBe("good");
    await idle(balancer);
  });

  test("asks it of an error as well", async () => {
    const broken = await rawServer((socket) => socket.destroy());
    const good = await httpServer();
    const seen: boolean[] = [];
    const balancer = balancerOver([broken.url, good.url], {
      classify: ({ failed }) => {
        seen.push(failed);
        return failed ? "ignored" : undefined;
      },
    });
    const dispatcher = new BalancedDispatcher(balancer);
    await expect(request("http://orders/", { dispatcher })).rejects.toMatchObject({ code: "UND_ERR_SOCKET" });
    expect(seen).toEqual([true]);
    expect(counters(balancer, 0)).toMatchObject({ ignored: 1, failures: 0 });
  });

  test("announces a classifier that throws, and answers all the same", async () => {
    const good = await httpServer((_request, response) => response.end("good"));
    const announced: string[] = [];
    const balancer = balancerOver([good.url], {
      classify: () => {
        throw new Error("broken");
      },
    });
    balancer.on("callbackFailed", ({ where }) => announced.push(where));
    const { body } = await request("http://orders/", { dispatcher: new BalancedDispatcher(balancer) });
    expect(await text(body)).toBe("good");
    expect(announced).toEqual(["classify"]);
    await idle(balancer);
  });

  test("passes them to the global dispatcher unless told otherwise", async () => {
    const server = await httpServer();
    const spy = vi.spyOn(getGlobalDispatcher(), "dispatch");
    const dispatcher = new BalancedDispatcher(balancerOver([await deadPort()]));
    const { body } = await request(`${server.url}/x`, { dispatcher });
    expect(await body.json()).toMatchObject({ url: "/x" });
    expect(spy).toHaveBeenCalledOnce();
    spy.mockRestore();
  });
});

describe("balance()", () => {
  test("composes with other interceptors, over the connections of its agent", async () => {
    const good = await httpServer();
    const dead = await deadPort();
    const balancer = balancerOver([dead, `${good.url}/base`]);
    const seen: string[] = [];
    const watch: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
      seen.push(String(options.origin) + options.path);
      return dispatch(options, handler);
    };
    const agent = new Agent();
    const dispatcher = agent.compose(watch, balance(balancer), watch);
    const { body } = await request("http://orders/a", { dispatcher });
    expect(await body.json()).toMatchObject({ url: "/base/a" });
    expect(new Set(seen)).toEqual(new Set(["http://orders/a", `${dead}/a`, `${good.url}/base/a`]));
    const other = await request(`${good.url}/other`, { dispatcher });
    expect(await other.body.json()).toMatchObject({ url: "/other" });
    await idle(balancer);
    await agent.close();
  });
});
