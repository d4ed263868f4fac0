import { type CallOptions, outcomeRules } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { one, refused, rejection, reset, scripted, world } from "./support/world.ts";

interface Reply {
  readonly status: number;
}

const IDEMPOTENT: CallOptions<Reply> = { idempotent: true };

const fail = (): Promise<Reply> => Promise.reject(reset());

describe("outcome rules", () => {
  it("judge what a call returns by its status: of balancer and call, the call's first", async () => {
    const { balancer } = world(1, { classify: outcomeRules({ statuses: { "404": "failure", "5xx": "overload" } }) });
    for (const status of [200, 404, 500]) await balancer.call(async () => ({ status }));
    const classify = outcomeRules({ statuses: { "404": "ignored" } });
    for (const status of [404, 500]) await balancer.call(async () => ({ status }), { classify });
    expect(one(balancer, "a")).toMatchObject({ successes: 1, failures: 1, overloads: 2, ignored: 1 });
  });

  it("leave it to retry.statusCodes what is repeated", async () => {
    const classify = outcomeRules({ statuses: { "5xx": "failure" } });
    const { balancer } = world(2, { classify, retry: { delayMs: 0, statusCodes: [503] } });
    const { run, visits } = scripted<Reply>({ a: () => ({ status: 503 }), b: () => ({ status: 500 }) });
    expect(await balancer.call(run, IDEMPOTENT)).toEqual({ status: 500 });
    expect(visits).toEqual(["a", "b"]);
  });

  it("end a call with the answer that they call a success", async () => {
    const classify = outcomeRules({ statuses: { "503": "success" } });
    const { balancer } = world(2, { classify });
    expect(await balancer.call(async () => ({ status: 503 }), IDEMPOTENT)).toEqual({ status: 503 });
    expect(balancer.snapshot().calls).toMatchObject({ succeeded: 1, retries: 0 });
  });

  it("can make an error that proves nothing was sent one that is not repeated", async () => {
    const { balancer } = world(2, { classify: outcomeRules({ errors: { ECONNREFUSED: "failure" } }) });
    const error = refused();
    const { run, visits } = scripted<Reply>({ a: () => Promise.reject(error), b: () => ({ status: 200 }) });
    expect(await rejection(balancer.call(run))).toBe(error);
    expect(visits).toEqual(["a"]);
    expect(one(balancer, "a")).toMatchObject({ failures: 1, unreached: 0 });
  });

  it("hold for a derived balancer, and can be changed while calls are made", async () => {
    const { balancer } = world(1);
    const derived = balancer.derive({ classify: outcomeRules({ errors: { UND_ERR_SOCKET: "ignored" } }) });
    await rejection(derived.call(fail));
    await rejection(balancer.call(fail));
    expect(one(balancer, "a")).toMatchObject({ failures: 1, ignored: 1 });
    balancer.configure({ classify: outcomeRules({ errors: { UND_ERR_SOCKET: "overload" } }) });
    await rejection(balancer.call(fail));
    await rejection(derived.call(fail));
    expect(one(balancer, "a")).toMatchObject({ failures: 1, ignored: 2, overloads: 1 });
  });

  it("are a function: plain rules are refused, with the way to write them", () => {
    expect(() => world(1, { classify: { statuses: { "404": "failure" } } as never })).toThrow(/outcomeRules/);
  });
});

describe("a classifier", () => {
  it("is shown the built-in verdict, or the adapter's", async () => {
    const seen: unknown[] = [];
    const { balancer } = world(1, { retry: false, classify: (_result, standard) => void seen.push(standard) });
    await balancer.call(async () => 1);
    await rejection(balancer.call(() => Promise.reject(refused())));
    await balancer.call(async () => 1, { judge: () => ({ outcome: "overload", status: 429 }) });
    expect(seen).toEqual([
      { outcome: "success" },
      { outcome: "unreached", origin: "local", errorCode: "ECONNREFUSED" },
      { outcome: "overload", status: 429 },
    ]);
  });
});
