// Affinity by key, through every client.
import { type FairleadError, headerAffinity, keyAffinity, rendezvous } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { cookieAffinity, createFetch } from "../src/index.ts";
import { balancerOver, idle } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { httpServer } from "./support/servers.ts";
import { listen } from "./support/sessions.ts";

/** Three backends that answer with their number, chosen by the hash of a key if there is one. */
async function arrange() {
  const servers = await Promise.all(
    [0, 1, 2].map((index) => httpServer((_request, response) => void response.end(String(index)))),
  );
  // The same keys go to the same ids in every run.
  const backends = servers.map(({ url }, index) => ({ id: `backend ${index}`, url }));
  return balancerOver(backends, { strategy: rendezvous() });
}

describe.each(clients)("through $name", (client) => {
  test("calls with the same header go to the same backend, and `hashKey` of a call goes before it", async () => {
    const balancer = await arrange();
    const send = client.connect(balancer, undefined, { affinity: headerAffinity("X-Session") });
    const home = async (session: string): Promise<string> =>
      (await send("/", { headers: { "x-session": session } })).text();
    const sessions = Array.from({ length: 12 }, (_, index) => `session ${index}`);
    const homes = await Promise.all(sessions.map(home));
    expect(new Set(homes).size).toBe(3);
    expect(await Promise.all(sessions.map(home))).toEqual(homes);
    await idle(balancer);
  });

  test("a function that throws or answers nonsense costs the call nothing, and is told of", async () => {
    const balancer = await arrange();
    const told = listen(balancer);
    const answers = [() => Promise.reject(new Error("not now")), () => 7];
    const affinity = keyAffinity(() => {
      const answer = answers.pop();
      if (answer === undefined) throw new Error("no tenant");
      return answer() as unknown as string;
    });
    const send = client.connect(balancer, undefined, { affinity });
    for (let turn = 0; turn < 3; turn++) expect((await send("/")).status).toBe(200);
    const nonsense = new TypeError("the function of keyAffinity must return a text or undefined");
    const where = { event: "callbackFailed", upstream: "orders", where: "affinity by key" };
    expect(told).toEqual([nonsense, nonsense, new Error("no tenant")].map((error) => ({ ...where, error })));
    await idle(balancer);
  });
});

describe("createFetch", () => {
  test("goes by what a call says itself before its affinity", async () => {
    const balancer = await arrange();
    const affinity = headerAffinity("x-session");
    const fetch = createFetch(balancer, { affinity });
    const homeOf = async (session: string, hashKey?: string): Promise<string> =>
      (await fetch("/", { headers: { "x-session": session }, fairlead: { hashKey } })).text();
    const homes = await Promise.all(["a", "b", "c", "d", "e", "f"].map((session) => homeOf(session)));
    expect(new Set(homes).size).toBeGreaterThan(1);
    for (const session of ["a", "b", "c", "d", "e", "f"]) expect(await homeOf(session, "a")).toBe(homes[0]);
    await idle(balancer);
  });

  test("refuses affinities that hand something to clients: it has none", async () => {
    const balancer = await arrange();
    const affinity = cookieAffinity({ keys: ["3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ"] });
    expect(() => createFetch(balancer, { affinity: affinity as never })).toThrow(
      expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG" } satisfies Partial<FairleadError>),
    );
  });
});
