// One backend, a process of its own: answers every request after 20 to 30 ms, unless told to misbehave.
// Argument: its number.
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createListener, type Server, type Socket } from "node:net";
import { BACKEND_HEADER, type Condition, type FromBackend, type Order } from "./conditions.ts";

const FASTEST_MS = 20;
const SLOWEST_MS = 30;
const FAILS_EVERY = 100;
const BODY = `${JSON.stringify({ order: 7, items: ["rope", "block", "cleat"] })}\n`;
const HOST = "127.0.0.1";

const [number = "0"] = process.argv.slice(2);
let condition: Condition = "well";
let port = 0;
let requests = 0;
/** What is said when the backend is well again. */
let heldBack: (() => void)[] = [];
const sockets = new Set<Socket>();

const web = createServer((_request, response) => {
  requests++;
  respond(response);
});
web.on("connection", keep);

function keep(socket: Socket): void {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => {});
  if (condition === "hanging up") socket.destroy();
}

function respond(response: ServerResponse): void {
  response.setHeader(BACKEND_HEADER, number);
  response.setHeader("content-length", Buffer.byteLength(BODY));
  const fail = (status: number): void => void response.writeHead(status, { "content-length": 0 }).end();
  if (condition === "answering 503") fail(503);
  else if (condition === "answering 500") fail(500);
  else if (condition === "failing at times" && requests % FAILS_EVERY === 0) fail(503);
  else if (condition === "starting") heldBack.push(() => response.end(BODY));
  else if (condition === "stalling") {
    const half = BODY.length / 2;
    response.write(BODY.slice(0, half));
    heldBack.push(() => response.end(BODY.slice(half)));
  } else setTimeout(() => response.end(BODY), FASTEST_MS + (SLOWEST_MS - FASTEST_MS) * Math.random());
}

let listener: Server = web;

function listen(server: Server, backlog?: number): Promise<void> {
  listener = server;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: HOST, ...(backlog === undefined ? {} : { backlog }) }, () => {
      server.off("error", reject);
      port = (server.address() as AddressInfo).port;
      resolve();
    });
  });
}

function leavePort(): void {
  listener.close();
  for (const socket of sockets) socket.destroy();
}

/**
 * Takes every place in the queue of connections that wait to be accepted, and stops this process, all before it could
 * accept one. A backlog of 1 has two places (Linux, `sk_acceptq_is_full`); what comes after them is dropped as a SYN.
 */
async function becomeDeaf(): Promise<void> {
  const deaf = createListener((socket) => socket.destroy());
  leavePort();
  await listen(deaf, 1);
  for (let place = 0; place < 4; place++) {
    const idle = connect(port, HOST);
    sockets.add(idle);
    idle.on("error", () => {});
  }
  // Connecting begins in the next tick, accepting in the next round of the event loop: this comes between them.
  setImmediate(() => {
    tell({ kind: "applied" });
    process.kill(process.pid, "SIGSTOP");
  });
}

async function begin(order: Extract<Order, { readonly kind: "listen" }>): Promise<void> {
  port = order.port;
  condition = order.condition;
  await listen(web);
  tell({ kind: "listening", port });
}

async function become(next: Condition): Promise<void> {
  const before = condition;
  condition = next;
  if (next === "deaf") {
    await becomeDeaf();
    return;
  }
  if (next === "refusing" || next === "hanging up") for (const socket of sockets) socket.destroy();
  if (next === "refusing") web.close();
  if (before === "deaf") leavePort();
  if (before === "deaf" || before === "refusing") await listen(web);
  const held = heldBack;
  heldBack = [];
  for (const say of held) say();
  tell({ kind: "applied" });
}

function tell(message: FromBackend): void {
  process.send?.(message);
}

function obey(done: Promise<void>): void {
  done.catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
}

process.on("disconnect", () => process.exit());
process.on("SIGINT", () => {});
process.on("message", (order: Order) => {
  if (order.kind === "count") tell({ kind: "count", requests });
  else obey(order.kind === "listen" ? begin(order) : become(order.condition));
});

tell({ kind: "ready" });
