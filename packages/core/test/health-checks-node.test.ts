// TCP, TLS and WebSocket checks against real servers on the loopback, hostile ones included.
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { BackendSpec } from "@fairlead/core";
import {
  type TcpCheckOptions,
  tcpCheck,
  tlsCheck,
  type WebSocketCheckOptions,
  webSocketCheck,
} from "@fairlead/core/node";
import { describe, expect, test } from "vitest";
import { certificateFor } from "./support/certificates.ts";
import { firstCheck } from "./support/first-check.ts";
import { freePort, serveBytes, serveHttp, serveHttps } from "./support/servers.ts";
import { escaped } from "./support/world.ts";

describe("tcpCheck", () => {
  test("passes where somebody accepts, and closes the connection", async () => {
    await using server = await serveBytes(() => {});
    const found = await firstCheck({ url: `http://127.0.0.1:${server.port}` }, tcpCheck, {});
    expect(found).toMatchObject({ lastCheckPassed: true, lastCheckReason: "connected", certificateExpiresAt: null });
    await expect.poll(() => server.open, { timeout: 5_000 }).toBe(0);
    expect(server.connections).toBe(1);
  });

  test("fails where nobody does", async () => {
    const port = await freePort();
    expect(await firstCheck({ url: `http://127.0.0.1:${port}` }, tcpCheck, {})).toMatchObject({
      lastCheckReason: "ECONNREFUSED",
    });
    await using server = await serveBytes(() => {});
    const url = `http://127.0.0.1:${server.port}`;
    expect(await firstCheck<TcpCheckOptions>({ url }, tcpCheck, { port })).toMatchObject({ lastCheckPassed: false });
  });

  test("fails where the name does not resolve", async () => {
    const found = await firstCheck({ url: "http://nowhere.invalid:81" }, tcpCheck, {});
    expect(found.lastCheckReason).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  test("refuses wrong options", () => {
    expect(() => tcpCheck({ port: 70_000, path: "/" } as never)).toThrow(/2 problems/);
  });
});

const checkTls = async (certificate: ReturnType<typeof certificateFor>, spec: Partial<BackendSpec> = {}) => {
  await using server = await serveHttps(certificate, () => {});
  return await firstCheck({ url: `https://127.0.0.1:${server.port}`, ...spec }, tlsCheck, {});
};

describe("tlsCheck", () => {
  test("passes where the certificate holds for the address or the name", async () => {
    const byAddress = certificateFor("127.0.0.1", 10);
    const found = await checkTls(byAddress, { tls: { ca: byAddress.cert } });
    expect(found).toMatchObject({ lastCheckPassed: true, lastCheckReason: "TLSv1.3" });
    expect(Math.abs(found.certificateExpiresAt! - (Date.now() + 10 * 86_400_000))).toBeLessThan(60_000);
    const byName = certificateFor("orders.test", 10);
    const tls = { ca: [byName.cert], serverName: "orders.test" };
    expect(await checkTls(byName, { tls })).toMatchObject({ lastCheckPassed: true });
  });

  test("fails where it does not, and still notes when it ends", async () => {
    const ended = certificateFor("127.0.0.1", -2);
    const found = await checkTls(ended, { tls: { ca: ended.cert } });
    expect(found).toMatchObject({ lastCheckPassed: false, lastCheckReason: "CERT_HAS_EXPIRED" });
    expect(found.certificateExpiresAt).toBeLessThan(Date.now());
    const strange = certificateFor("127.0.0.1", 10);
    expect(await checkTls(strange)).toMatchObject({ lastCheckReason: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    const others = certificateFor("users.test", 10);
    const spec = { host: "orders.test", tls: { ca: others.cert } };
    expect(await checkTls(others, spec)).toMatchObject({ lastCheckReason: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  test("passes whatever the certificate where the specification says so", async () => {
    const ended = certificateFor("users.test", -2);
    expect(await checkTls(ended, { tls: { rejectUnauthorized: false } })).toMatchObject({ lastCheckPassed: true });
  });

  test("fails where a server speaks no TLS, or nothing at all", async () => {
    await using plain = await serveHttp((_, response) => void response.end());
    expect((await firstCheck({ url: `https://127.0.0.1:${plain.port}` }, tlsCheck, {})).lastCheckReason).toMatch(
      /SSL|ECONNRESET/,
    );
    await using silent = await serveBytes(() => {});
    expect(await firstCheck({ url: `https://127.0.0.1:${silent.port}` }, tlsCheck, { timeoutMs: 300 })).toMatchObject({
      lastCheckReason: "no answer in 300 ms",
    });
    await expect.poll(() => silent.open, { timeout: 5_000 }).toBe(0);
  });
});

const acceptOf = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

/** Answers an upgrade with these lines, in which KEY stands for the right answer to the key. */
const answering =
  (...lines: readonly string[]) =>
  (socket: Socket, request: string): void => {
    const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? "";
    socket.write(`${lines.join("\r\n").replace("KEY", acceptOf(key))}\r\n\r\n`);
  };
const UPGRADED = [
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: KEY",
];

const checkWebSocket = async (
  answer: (socket: Socket, request: string) => void,
  options: WebSocketCheckOptions = {},
  afterwards?: (frames: Buffer) => void,
) => {
  let asked = "";
  const frames: Buffer[] = [];
  await using server = await serveBytes((socket) => {
    socket.on("data", (chunk: Buffer) => {
      if (asked.endsWith("\r\n\r\n")) {
        frames.push(chunk);
        return;
      }
      asked += chunk.toString("latin1");
      if (asked.endsWith("\r\n\r\n")) answer(socket, asked);
    });
  });
  const found = await firstCheck(
    { url: `ws://127.0.0.1:${server.port}/base`, host: "chat.test" },
    webSocketCheck,
    options,
  );
  await expect.poll(() => server.open, { timeout: 5_000 }).toBe(0);
  afterwards?.(Buffer.concat(frames));
  return { ...found, asked };
};

describe("webSocketCheck", () => {
  test("passes where a WebSocket opens, and closes it with 1000", async () => {
    const found = await checkWebSocket(
      answering(...UPGRADED),
      { path: "/socket?v=1", headers: { "X-Probe": "1" } },
      (frames) => {
        expect([...frames.subarray(0, 2)]).toEqual([0x88, 0x82]);
        const payload = [frames[6]! ^ frames[2]!, frames[7]! ^ frames[3]!];
        expect(payload[0]! * 256 + payload[1]!).toBe(1000);
      },
    );
    expect(found).toMatchObject({ lastCheckPassed: true, lastCheckReason: "101" });
    expect(found.asked).toMatch(/^GET \/base\/socket\?v=1 HTTP\/1\.1\r\n/);
    expect(found.asked).toMatch(/host: chat\.test\r\n/i);
    expect(found.asked).toMatch(/x-probe: 1\r\n/i);
    expect(found.asked).toMatch(/sec-websocket-version: 13\r\n/i);
  });

  test("passes where one of the protocols is chosen", async () => {
    const chosen = answering(...UPGRADED, "Sec-WebSocket-Protocol: chat.v2");
    expect(await checkWebSocket(chosen, { protocols: ["chat.v1", "chat.v2"] })).toMatchObject({
      lastCheckPassed: true,
    });
  });

  test.each<[string, readonly string[], WebSocketCheckOptions, RegExp]>([
    ["another accept key", [...UPGRADED.slice(0, 3), "Sec-WebSocket-Accept: AAAA"], {}, /wrong Sec-WebSocket-Accept/],
    ["no accept key", UPGRADED.slice(0, 3), {}, /wrong Sec-WebSocket-Accept/],
    ["another upgrade", [UPGRADED[0]!, "Upgrade: h2c", ...UPGRADED.slice(2)], {}, /no upgrade to websocket/],
    ["no protocol of those offered", UPGRADED, { protocols: ["chat"] }, /without a protocol that was offered/],
    ["a protocol that was not", [...UPGRADED, "Sec-WebSocket-Protocol: x"], {}, /without a protocol that was offered/],
    [
      "an extension",
      [...UPGRADED, "Sec-WebSocket-Extensions: permessage-deflate"],
      {},
      /extension that was not offered/,
    ],
    ["a page instead", ["HTTP/1.1 426 Upgrade Required", "Content-Length: 0"], {}, /^426$/],
    ["nonsense", ["hello"], {}, /HPE_/],
  ])("fails with %s", async (_, lines, options, reason) => {
    const found = await checkWebSocket(answering(...lines), options);
    expect(found.lastCheckPassed).toBe(false);
    expect(found.lastCheckReason).toMatch(reason);
  });

  test("passes although the server does not take part in the close, sends on, or resets", async () => {
    const caught = await escaped(async () => {
      expect(await checkWebSocket(answering(...UPGRADED))).toMatchObject({ lastCheckPassed: true });
      const flood = (socket: Socket, request: string): void => {
        answering(...UPGRADED)(socket, request);
        const more = (): void => {
          if (!socket.destroyed) socket.write(Buffer.alloc(4_096), () => setImmediate(more));
        };
        more();
      };
      expect(await checkWebSocket(flood)).toMatchObject({ lastCheckPassed: true });
      const reset = (socket: Socket, request: string): void => {
        answering(...UPGRADED)(socket, request);
        socket.once("data", () => socket.resetAndDestroy());
      };
      expect(await checkWebSocket(reset)).toMatchObject({ lastCheckPassed: true });
    });
    expect(caught).toEqual([]);
  });

  test("fails in time where the server says nothing", async () => {
    expect(await checkWebSocket(() => {}, { timeoutMs: 300 })).toMatchObject({
      lastCheckReason: "no answer in 300 ms",
    });
  });

  test("goes over TLS as the specification says", async () => {
    const certificate = certificateFor("chat.test", 20);
    await using server = await serveHttps(
      certificate,
      (_request: IncomingMessage, response) => void response.writeHead(404).end(),
    );
    const spec = { url: `wss://127.0.0.1:${server.port}`, host: "chat.test", tls: { ca: certificate.cert } };
    const found = await firstCheck(spec, webSocketCheck, {});
    expect(found).toMatchObject({ lastCheckPassed: false, lastCheckReason: "404" });
    expect(found.certificateExpiresAt).toBeGreaterThan(Date.now());
  });

  test("refuses wrong options", () => {
    expect(() => webSocketCheck({ protocols: ["a b"], path: "x" })).toThrow(/2 problems/);
    expect(() => webSocketCheck({ expect: 101 } as never)).toThrow(/expect/);
  });
});
