import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { FormData } from "undici";
import { PATHS } from "./backend.ts";

/** A call that must look the same with and without a balancer. */
export interface Case {
  readonly name: string;
  readonly path?: string;
  /** It is about what the backend says. */
  readonly isAnswer?: boolean;
  /** Made anew for each way. */
  readonly options?: () => object;
}

async function* chunks(): AsyncGenerator<Buffer> {
  yield Buffer.from("hel");
  yield Buffer.from("lo");
}

function* syncChunks(): Generator<Buffer> {
  yield Buffer.from("hel");
  yield Buffer.from("lo");
}

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.from("hel");
  throw new Error("the body failed");
}

function form(): FormData {
  const data = new FormData();
  data.append("a", "1");
  data.append("file", new Blob(["content"]), "name.txt");
  return data;
}

const BODIES: Readonly<Record<string, () => unknown>> = {
  text: () => "hello",
  "empty text": () => "",
  "a Buffer": () => Buffer.from("hello"),
  "a Uint8Array": () => new Uint8Array([104, 105]),
  "an ArrayBuffer": () => new Uint8Array([104, 105]).buffer,
  "a Blob": () => new Blob(["hello"]),
  "a form": form,
  "a Readable": () => Readable.from(chunks()),
  "an empty Readable": () => Readable.from([]),
  "an async iterator": chunks,
  "an iterator": syncChunks,
  "a list of bytes": () => [Buffer.from("a"), Buffer.from("b")],
  "a ReadableStream": () => Readable.toWeb(Readable.from(chunks())),
  "a number": () => 42,
  "an object": () => ({ a: 1 }),
  "an async iterator that fails": failing,
  "a Readable that fails": () => Readable.from(failing()),
  "a Readable that has failed": () => new Readable({ read() {} }).on("error", () => {}).destroy(new Error("gone")),
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PURGE"];

const HEADERS: Readonly<Record<string, () => unknown>> = {
  "a record": () => ({ "X-A": "1", "x-b": ["2", "3"], "x-c": undefined, "x-d": null, "x-e": 5 }),
  "names and values in turn": () => ["X-A", "1", "x-b", "2"],
  pairs: () => [["x-a", "1"]].values(),
  "a Map": () => new Map([["x-a", "1"]]),
  Headers: () => new Headers({ "x-a": "1" }),
  "a Host": () => ({ host: "own.test" }),
  "an odd list": () => ["x-a"],
  text: () => "x-a: 1",
  "a name with a space": () => ({ "x a": "1" }),
  "CRLF in a name": () => ({ "x-a: 1\r\nx-b": "2" }),
  "CRLF in a value": () => ({ "x-a": "1\r\nx-b: 2" }),
  "CRLF in one of several values": () => ({ "x-a": ["1", "2\r\nx-b: 3"] }),
  "a NUL in a value": () => ({ "x-a": "1\0" }),
  "an object for a value": () => ({ "x-a": {} }),
  "a wrong length": () => ({ "content-length": "five" }),
  "Transfer-Encoding": () => ({ "transfer-encoding": "chunked" }),
  Expect: () => ({ expect: "100-continue" }),
  Upgrade: () => ({ upgrade: "websocket" }),
  "Connection: close": () => ({ connection: "close" }),
  "a wrong Connection": () => ({ connection: "a b" }),
};

const OPTIONS: Readonly<Record<string, () => object>> = {
  "a query": () => ({ query: { a: "1", b: ["2", "3"] } }),
  "an opaque value": () => ({ opaque: { mine: true } }),
  "raw headers": () => ({ responseHeaders: "raw" }),
  "reset: true": () => ({ reset: true }),
  "blocking: true": () => ({ blocking: true }),
  "idempotent: false": () => ({ idempotent: false }),
  "expectContinue: true": () => ({ expectContinue: true }),
  "highWaterMark: 1": () => ({ highWaterMark: 1 }),
  "a length that is right": () => ({ method: "POST", body: "hello", headers: { "content-length": "5" } }),
  "a length that is too long": () => ({ method: "POST", body: "hello", headers: { "content-length": "9" } }),
  "a length that is too short": () => ({ method: "POST", body: "hello", headers: { "content-length": "2" } }),
  "a stream shorter than its length": () => ({ method: "POST", body: chunks(), headers: { "content-length": "9" } }),
  "a stream longer than its length": () => ({ method: "POST", body: chunks(), headers: { "content-length": "2" } }),
  "a method in lower case": () => ({ method: "post", body: "hello" }),
  "a method with a space": () => ({ method: "GET /x" }),
  "CRLF in the method": () => ({ method: "GET / HTTP/1.1\r\nx: y\r\n\r\nGET" }),
  "method CONNECT": () => ({ method: "CONNECT" }),
  "a wrong highWaterMark": () => ({ highWaterMark: -1 }),
  "a wrong onInfo": () => ({ onInfo: "x" }),
  "a wrong signal": () => ({ signal: {} }),
  "a wrong reset": () => ({ reset: "yes" }),
  "a wrong headersTimeout": () => ({ headersTimeout: -1 }),
  "a wrong bodyTimeout": () => ({ bodyTimeout: Number.NaN }),
  "a wrong upgrade": () => ({ upgrade: true }),
  throwOnError: () => ({ throwOnError: true }),
  maxRedirections: () => ({ maxRedirections: 1 }),
};

const REASON = new Error("enough");

function aborting(signal: AbortController | EventEmitter, ...reason: [] | [unknown]): object {
  setTimeout(() => (signal instanceof EventEmitter ? signal.emit("abort") : signal.abort(...reason)), 20);
  return { signal: signal instanceof EventEmitter ? signal : signal.signal };
}

const ABORTS: Readonly<Record<string, Pick<Case, "path" | "options">>> = {
  "before it begins": { options: () => ({ signal: AbortSignal.abort(REASON) }) },
  "before it begins, without a reason": { options: () => ({ signal: AbortSignal.abort() }) },
  "before it begins, with a text": { options: () => ({ signal: AbortSignal.abort("text") }) },
  "before it begins, by an emitter": {
    options: () => ({ signal: Object.assign(new EventEmitter(), { aborted: true }) }),
  },
  "before the headers": { path: "/silent", options: () => aborting(new AbortController(), REASON) },
  "before the headers, without a reason": { path: "/silent", options: () => aborting(new AbortController()) },
  "before the headers, by an emitter": { path: "/silent", options: () => aborting(new EventEmitter()) },
  "in the body": { path: "/endless", options: () => aborting(new AbortController(), REASON) },
  "in the body, by an emitter": { path: "/endless", options: () => aborting(new EventEmitter()) },
};

export const CASES: readonly Case[] = [
  ...METHODS.map((method) => ({ name: method, options: () => ({ method }) })),
  ...METHODS.map((method) => ({ name: `${method} with a body`, options: () => ({ method, body: "hello" }) })),
  ...Object.entries(BODIES).map(([name, body]) => ({
    name: `POST of ${name}`,
    options: () => ({ method: "POST", body: body() }),
  })),
  ...Object.entries(HEADERS).map(([name, headers]) => ({
    name: `headers: ${name}`,
    options: () => ({ headers: headers() }),
  })),
  ...Object.entries(OPTIONS).map(([name, options]) => ({ name, options })),
  ...Object.entries(ABORTS).map(([name, abort]) => ({ name: `abort ${name}`, ...abort })),
  ...PATHS.map((path) => ({ name: `answer ${path}`, path, isAnswer: true })),
  ...["/404", "/length", "/chunks", "/zipped"].map((path) => ({
    name: `HEAD of ${path}`,
    path,
    options: () => ({ method: "HEAD" }),
  })),
];
