import { type Check, equal, ok, rejection } from "../check.ts";
import type { Echo, Scene } from "../scene.ts";

const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const latin1 = String.fromCharCode(...bytes);

/** Bodies that can be sent again, and what arrives of them. */
const kinds: readonly (readonly [string, () => BodyInit, string | RegExp])[] = [
  ["a text", () => "a=1", "a=1"],
  ["bytes", () => bytes, latin1],
  ["an ArrayBuffer", () => bytes.buffer, latin1],
  ["URLSearchParams", () => new URLSearchParams({ a: "1", b: "ä" }), "a=1&b=%C3%A4"],
  ["a Blob", () => new Blob([bytes], { type: "image/png" }), latin1],
  ["a form", () => form(), /name="file"; filename="x\.txt"\r\n[^]*inside/],
];

function form(): FormData {
  const data = new FormData();
  data.append("a", "1");
  data.append("file", new Blob(["inside"], { type: "text/plain" }), "x.txt");
  return data;
}

async function send(scene: Scene, make: () => BodyInit, expected: string | RegExp): Promise<void> {
  // The first backend does not want it: it is sent twice.
  const { get } = scene.open(["busy", "a"], { retry: { delayMs: 1 } });
  const { backend, method, headers, body } = await get("/x", { method: "PUT", body: make() });
  equal([backend, method], ["a", "PUT"]);
  if (typeof expected === "string") equal(body, expected, "body");
  else ok(expected.test(body), `the body is right: ${body}`);
  const bare = await fetch(`${scene.addresses.good}/a${scene.root}/x`, { method: "PUT", body: make() });
  const platform = ((await bare.json()) as Echo).headers["content-type"];
  equal(withoutBoundary(headers["content-type"]), withoutBoundary(platform), "type of the body");
}

function withoutBoundary(type: string | undefined): string | undefined {
  return type?.replace(/boundary=.*/, "boundary=…");
}

export const bodies: readonly Check[] = [
  ...kinds.map(([name, make, expected]) => ({
    name: `sends ${name} whole, as the platform does, and again to another backend`,
    run: (scene: Scene) => send(scene, make, expected),
  })),
  {
    name: "sends a Request's method, headers and body",
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      const init = { method: "POST", headers: { "x-a": "1" } };
      const request = new Request(`http://orders${scene.root}/x`, init);
      const { method, headers } = (await (await fetch(request)).json()) as Echo;
      equal([method, headers["x-a"]], ["POST", "1"]);
    },
  },
  {
    name: "lets init go over a Request's own parts",
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      const request = new Request(`http://orders${scene.root}/x`, { headers: { "x-a": "1" } });
      const response = await fetch(request, { method: "PUT", body: "two" });
      const { method, body } = (await response.json()) as { method: string; body: string };
      equal([method, body], ["PUT", "two"]);
    },
  },
  {
    name: "refuses a body that is too long before anything is sent",
    run: async (scene) => {
      const { fetch } = scene.open(["a"], {}, { maxRequestBytes: 3 });
      const { cause } = await rejection(fetch(`${scene.root}/x`, { method: "POST", body: "abcd" }));
      equal((cause as { code?: string }).code, "FAIRLEAD_ERR_LIMIT");
      equal(await scene.received(), []);
    },
  },
  {
    name: "blames no backend for what can't be sent",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["a"]);
      const wrong: RequestInit = { body: "one" };
      const error = await rejection(fetch(`${scene.root}/x`, wrong));
      ok(error instanceof TypeError, "it rejects with a TypeError");
      const { ignored, failed } = orders.snapshot().calls;
      equal([ignored, failed], [1, 0]);
    },
  },
];
