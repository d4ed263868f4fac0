// Bodies pass through as they come, both ways, and everything is given back however they end.
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import type { AccessRecord } from "../../src/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { forwarding, transports } from "../support/forwarding.ts";
import { httpServer, rawServer } from "../support/servers.ts";

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** A body whose chunks are sent by hand. */
function byHand(): {
  readonly body: ReadableStream<Uint8Array>;
  readonly controller: Controller;
  cancelled(): boolean;
} {
  let controller: Controller | undefined;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: (own) => {
      controller = own;
    },
    cancel: () => {
      isCancelled = true;
    },
  });
  return { body, controller: controller as unknown as Controller, cancelled: () => isCancelled };
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.each(transports)("by %s", (_name, make) => {
  test("a response is the client's with its headers, and its chunks as they come", async () => {
    const sockets: Socket[] = [];
    const server = await rawServer((socket) => {
      sockets.push(socket);
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
    });
    const balancer = balancerOver([server.url]);
    const response = await forwarding(balancer, { fetch: make() })("/");
    expect(balancer.backends[0]?.inFlight("request")).toBe(1);
    const reader = response.body?.getReader();
    const reading = reader?.read();
    sockets[0]?.write("ab");
    expect((await reading)?.value).toEqual(encode("ab"));
    sockets[0]?.write("cd");
    expect((await reader?.read())?.value).toEqual(encode("cd"));
    expect((await reader?.read())?.done).toBe(true);
    await idle(balancer);
  });

  test("a request is sent as it comes, before its body has ended", async () => {
    const chunks: string[] = [];
    const server = await rawServer((socket) => socket.on("data", (chunk) => chunks.push(chunk.toString())));
    const balancer = balancerOver([server.url]);
    const { body, controller } = byHand();
    const abort = new AbortController();
    const sent = forwarding(balancer, { fetch: make() })("/", {
      method: "POST",
      body,
      duplex: "half",
      signal: abort.signal,
    });
    controller.enqueue(encode("first"));
    await vi.waitFor(() => expect(server.received).toEqual(["POST /"]));
    controller.enqueue(encode("second"));
    await vi.waitFor(() => expect(chunks.join("")).toContain("second"));
    abort.abort();
    await expect(sent).rejects.toThrow();
    await idle(balancer);
  });

  test("a client that leaves before there is an answer ends the backend's work, with its own reason", async () => {
    const server = await rawServer(() => {});
    const balancer = balancerOver([server.url]);
    const records: AccessRecord[] = [];
    const abort = new AbortController();
    const add = vi.spyOn(abort.signal, "addEventListener");
    const send = forwarding(balancer, { fetch: make(), accessLog: (record) => records.push(record) });
    const sent = send("/", { signal: abort.signal });
    await vi.waitFor(() => expect(server.received).toHaveLength(1));
    const [socket] = server.sockets;
    const closed = socket && once(socket, "close");
    const reason = new Error("gone");
    abort.abort(reason);
    await expect(sent).rejects.toBe(reason);
    await closed;
    await idle(balancer);
    expect(records).toMatchObject([{ status: 499, attempts: 1, backend: undefined, errorCode: "Error" }]);
    expect(counters(balancer, 0).failures).toBe(0);
    add.mockRestore();
  });

  test("a client that leaves while it reads ends the backend's work", async () => {
    const server = await rawServer((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"));
    const balancer = balancerOver([server.url]);
    for (const leave of ["abort", "cancel"] as const) {
      const abort = new AbortController();
      const response = await forwarding(balancer, { fetch: make() })("/", { signal: abort.signal });
      const reader = response.body?.getReader();
      expect((await reader?.read())?.value).toEqual(encode("hello"));
      const closed = Promise.all([...server.sockets].map((socket) => once(socket, "close")));
      if (leave === "cancel") await reader?.cancel();
      else {
        abort.abort(new Error("gone"));
        await expect(reader?.read()).rejects.toThrow();
      }
      await closed;
      await idle(balancer);
    }
    expect(counters(balancer, 0)).toMatchObject({ successes: 2, failures: 0, streamFailures: 0 });
  });

  test("a body that breaks off breaks off for the client, and counts against the backend", async () => {
    const server = await rawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
      setTimeout(() => socket.destroy(), 20);
    });
    const balancer = balancerOver([server.url]);
    const records: AccessRecord[] = [];
    const send = forwarding(balancer, { fetch: make(), accessLog: (record) => records.push(record) });
    const response = await send("/");
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ successes: 1, streamFailures: 1 });
    expect(records).toMatchObject([{ status: 200, errorCode: "UND_ERR_SOCKET" }]);
  });

  test("a client's body that breaks off is the client's fault: 400, and no backend is blamed", async () => {
    const server = await rawServer(() => {});
    const balancer = balancerOver([server.url]);
    const { body, controller } = byHand();
    const sent = forwarding(balancer, { fetch: make() })("/", { method: "POST", body, duplex: "half" });
    controller.enqueue(encode("first"));
    await vi.waitFor(() => expect(server.received).toHaveLength(1));
    controller.error(new Error("gone"));
    expect((await sent).status).toBe(400);
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ failures: 0 });
  });

  test("an answer before the body is read is the answer", async () => {
    const server = await rawServer((socket) =>
      socket.end("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"),
    );
    const balancer = balancerOver([server.url]);
    const { body, controller } = byHand();
    const sent = forwarding(balancer, { fetch: make() })("/", { method: "POST", body, duplex: "half" });
    controller.enqueue(encode("first"));
    const response = await sent;
    expect([response.status, await response.text()]).toEqual([413, "no"]);
    await idle(balancer);
    controller.close();
  });

  test("1xx answers are not the answer", async () => {
    const server = await rawServer((socket) => {
      socket.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    const response = await forwarding(balancerOver([server.url]), { fetch: make() })("/");
    expect([response.status, await response.text(), response.headers.get("link")]).toEqual([200, "ok", null]);
  });

  test("a 204 with a body has none, and its connection serves nobody else", async () => {
    const server = await rawServer((socket) =>
      socket.write("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"),
    );
    const balancer = balancerOver([server.url]);
    const send = forwarding(balancer, { fetch: make() });
    const first = await send("/a");
    expect([first.status, first.body]).toEqual([204, null]);
    await nextTurn();
    const second = await send("/b");
    expect([second.status, second.body]).toEqual([204, null]);
    await idle(balancer);
  });

  test.each([
    ["shorter than it says", "content-length: 9", "hello"],
    ["without its last chunk", "transfer-encoding: chunked", "5\r\nhello\r\n"],
  ])("a body that is %s is not taken for a whole one", async (_what, header, body) => {
    const server = await rawServer((socket) => socket.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${body}`));
    const balancer = balancerOver([server.url]);
    const response = await forwarding(balancer, { fetch: make() })("/");
    await expect(response.text()).rejects.toThrow();
    await idle(balancer);
  });

  test("a body that is shorter or longer than the client says reaches no backend as a whole one", async () => {
    const server = await httpServer();
    const balancer = balancerOver([server.url]);
    for (const length of ["3", "9"]) {
      const init = { method: "POST", body: "hello", headers: { "content-length": length } };
      const response = await forwarding(balancer, { fetch: make() })("/", init);
      expect([length, response.status]).toEqual([length, 400]);
    }
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ failures: 0, successes: 0 });
  });
});
