// Runs in another Node: every so many-th case, and all that may differ; prints as JSON what differs though it may not.
import { Comparison, cases } from "./comparison.ts";
import { DISPATCHER_EXCEPTIONS, EXCEPTIONS, PLAIN_EXCEPTIONS } from "./exceptions.ts";

const every = Number(process.argv[2]);
const excepted = [...EXCEPTIONS, ...PLAIN_EXCEPTIONS, ...DISPATCHER_EXCEPTIONS].flatMap(({ cases: names }) => names);
const chosen = cases.filter(({ name }, index) => index % every === 0 || excepted.includes(name));

const comparison = await new Comparison().start();
const differences: unknown[] = [];
for (const one of chosen) {
  for (const { way, why, differs, seen, expected } of await comparison.compare(one)) {
    const isSame = JSON.stringify(seen) === JSON.stringify(expected);
    if (!isSame) differences.push({ case: one.name, way, seen, expected });
    if (why !== undefined && !differs) differences.push({ case: one.name, way, isNoExceptionAnyMore: why });
  }
}
await comparison.stop();
console.log(JSON.stringify({ compared: chosen.length, differences }));
process.exit();
