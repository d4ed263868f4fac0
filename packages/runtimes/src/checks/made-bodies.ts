import type { BodyFactory } from "@fairlead/fetch";
import { type Check, equal, rejection } from "../check.ts";

const ONLY_HTTP2 = "Chromium streams over HTTP/2 alone";

/** One chunk after the other. */
function streamOf(...texts: readonly string[]): ReadableStream<Uint8Array> {
  const left = [...texts];
  return new ReadableStream({
    pull: (controller) => {
      const word = left.shift();
      if (word === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(word));
    },
  });
}

async function* chunks(): AsyncGenerator<Uint8Array> {
  for (const word of ["one ", "two"]) yield new TextEncoder().encode(word);
}

const words: BodyFactory = () => streamOf("one ", "two");

const failing: BodyFactory = () => {
  throw new RangeError("no such file");
};

/** What a factory may make, and where that can't be sent. */
const kinds: readonly (readonly [string, BodyFactory, string | undefined])[] = [
  ["a text", () => "one two", undefined],
  ["a promise of a Blob", async () => new Blob(["one two"]), undefined],
  ["a stream", words, ONLY_HTTP2],
  ["an async iterator", chunks, ONLY_HTTP2],
];

export const madeBodies: readonly Check[] = [
  ...kinds.map(([name, make, notInBrowsers]) => ({
    name: `makes ${name} anew for each attempt`,
    notInBrowsers,
    run: async (scene: Parameters<Check["run"]>[0]) => {
      let made = 0;
      const body: BodyFactory = () => {
        made++;
        return make();
      };
      const { get } = scene.open(["busy", "a"], { retry: { delayMs: 1 } });
      const seen = await get("/x", { method: "PUT", fairlead: { body } });
      equal([seen.backend, seen.body, made], ["a", "one two", 2]);
    },
  })),
  {
    name: "makes a body anew for a redirect that keeps it",
    notInBrowsers: "browsers hide redirects from scripts",
    run: async (scene) => {
      const { get } = scene.open(["a"]);
      const to = encodeURIComponent(`${scene.root}/there`);
      const seen = await get(`/redirect?status=307&to=${to}`, { method: "POST", fairlead: { body: words } });
      equal([seen.method, seen.body], ["POST", "one two"]);
    },
  },
  {
    name: "blames no backend for a body that can't be made",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["a"]);
      const error = await rejection(fetch(`${scene.root}/x`, { method: "PUT", fairlead: { body: failing } }));
      equal(error.message, "no such file");
      equal([orders.snapshot().backends[0]?.failures, orders.snapshot().calls.retries], [0, 0]);
      equal(await scene.received(), []);
    },
  },
];
