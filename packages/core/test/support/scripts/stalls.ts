// Blocks its event loop while a call is under way, and tells what its clock saw of that. Argument: the URL to call,
// which answers while the loop is blocked.
import { get } from "node:http";
import { wheelClock } from "@fairlead/core";

const [url = ""] = process.argv.slice(2);
const clock = wheelClock();

function call(answered: () => void): void {
  get(url, { agent: false }, (response) => {
    answered();
    response.resume();
  });
}

function block(ms: number): number {
  const beginMs = clock.now();
  while (clock.now() - beginMs < ms) continue;
  return clock.now() - beginMs;
}

// The first call loads code, which takes time of its own.
call(() => {
  setTimeout(() => {
    const beginMs = clock.now();
    clock.lag?.watch(beginMs);
    let blockedMs = 0;
    setTimeout(() => (blockedMs = block(300)), 30);
    call(() => {
      const nowMs = clock.now();
      console.log(JSON.stringify({ blockedMs, seenMs: clock.lag?.during(beginMs, nowMs), tookMs: nowMs - beginMs }));
    });
  }, 50);
});
