// What an adapter's `beforeRepeat` can do to a call that is about to be repeated, under a virtual clock.
import type { CallOptions, FailedAttempt } from "@fairlead/core";
import { expect, test } from "vitest";
import { byStatus, type Reply } from "./support/replies.ts";
import { deferred, held, one, refused, scripted, settle, watch, world } from "./support/world.ts";

const bad: Reply = { status: 500 };
const good: Reply = { status: 200 };

/** Two backends, the first of which fails; all that was discarded. */
function arrange(beforeRepeat: CallOptions<Reply>["beforeRepeat"], more: CallOptions<Reply> = {}) {
  const { balancer, clock } = world(2, { retry: { statusCodes: [500], jitter: false } });
  const { run, visits } = scripted<Reply>({ a: () => bad, b: () => good });
  const discarded: Reply[] = [];
  const discard = (value: Reply): void => void discarded.push(value);
  const options = { idempotent: true, classify: byStatus, discard, beforeRepeat, ...more };
  return { balancer, clock, visits, discarded, call: watch(balancer.call(run, options)) };
}

test("is asked after the back-off, and waited for: no backend is asked meanwhile", async () => {
  const answer = deferred<boolean>();
  const asked: FailedAttempt[] = [];
  const { balancer, clock, call, visits, discarded } = arrange((attempt) => {
    asked.push(attempt);
    return answer.promise;
  });
  await clock.advance(24);
  expect(asked).toEqual([]);
  await clock.advance(1);
  expect(asked).toMatchObject([{ number: 1, sent: true, value: bad, report: { status: 500 } }]);
  expect(asked[0]?.backend.id).toBe("a");
  await clock.advance(10_000);
  expect([call.state, visits, discarded, held(balancer)]).toEqual(["pending", ["a"], [], 1]);
  answer.resolve(true);
  await settle();
  expect([call.value, visits, discarded, held(balancer)]).toEqual([good, ["a", "b"], [bad], 0]);
  expect([balancer.snapshot().calls.retries, clock.pending]).toEqual([1, 0]);
});

test("a no leaves the last answer as it is, and costs neither budget nor backend anything", async () => {
  const { balancer, clock, call, discarded } = arrange(async () => false);
  await clock.advance(25);
  expect([call.value, discarded, held(balancer), clock.pending]).toEqual([bad, [], 0, 0]);
  expect(one(balancer, "b").attempts).toBe(0);
  expect(balancer.snapshot().calls).toMatchObject({ retries: 0, failed: 1 });
});

test("its error ends the call, which counts as the caller's doing", async () => {
  const error = new Error("mine");
  const { balancer, clock, call, discarded } = arrange(() => Promise.reject(error));
  await clock.advance(25);
  expect([call.error, discarded, held(balancer), clock.pending]).toEqual([error, [bad], 0, 0]);
  expect(balancer.snapshot().calls).toMatchObject({ retries: 0, failed: 0, ignored: 1 });
});

test("one that throws at once is no different", async () => {
  const error = new Error("mine");
  const { balancer, clock, call, discarded } = arrange(() => {
    throw error;
  });
  await clock.advance(25);
  expect([call.error, discarded, held(balancer), clock.pending]).toEqual([error, [bad], 0, 0]);
});

test("without an answer by the deadline, what was last stands; a later one changes nothing", async () => {
  const answer = deferred<boolean>();
  const { balancer, clock, call, visits } = arrange(() => answer.promise, { deadlineMs: 1_000 });
  await clock.advance(999);
  expect(call.state).toBe("pending");
  await clock.advance(1);
  expect(call.value).toBe(bad);
  answer.resolve(true);
  await settle();
  expect([visits, held(balancer), clock.pending]).toEqual([["a"], 0, 0]);
});

test("the caller's abort and the balancer's close wait for nobody", async () => {
  const controller = new AbortController();
  const left = arrange(() => new Promise(() => {}), { signal: controller.signal });
  await left.clock.advance(25);
  controller.abort("gone");
  await settle();
  expect([left.call.error, left.discarded, held(left.balancer)]).toEqual(["gone", [bad], 0]);
  const closed = arrange(() => new Promise(() => {}));
  await closed.clock.advance(25);
  await closed.balancer.close();
  expect([closed.call.value, closed.clock.pending, held(closed.balancer)]).toEqual([bad, 0, 0]);
  expect(left.clock.pending).toBe(0);
});

test("is asked about what was never sent as well", async () => {
  const { balancer } = world(2);
  const { run, visits } = scripted<Reply>({ a: () => Promise.reject(refused()), b: () => good });
  const sent: boolean[] = [];
  const beforeRepeat = async (attempt: FailedAttempt): Promise<boolean> => sent.push(attempt.sent) > 0;
  expect(await balancer.call(run, { beforeRepeat })).toBe(good);
  expect([sent, visits]).toEqual([[false], ["a", "b"]]);
});
