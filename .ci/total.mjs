// node .ci/total.mjs clear       forgets earlier results
// node .ci/total.mjs <status>    prints the total as the only line; <status> is the exit code of `pnpm test`
import { clearResults, describe, total } from "./suites.mjs";

const argument = process.argv[2];

if (argument === "clear") {
  clearResults();
} else {
  const sum = total();
  // The run failed although no suite did: that, too, is a failure.
  if (argument !== "0" && sum.failed === 0) sum.failed = 1;
  console.log(describe(sum));
  process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
}
