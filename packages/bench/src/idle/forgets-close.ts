// Uses a balancer and does not close it: the process must end all the same. Prints when its last line has run, in
// milliseconds since 1970. Argument: number of backends.
import { createBalancer } from "@fairlead/core";
import { specs } from "../inputs.ts";

const balancer = createBalancer({ name: "bench", backends: specs(Number(process.argv[2])) });
await balancer.call(() => Promise.resolve());
process.stdout.write(String(performance.timeOrigin + performance.now()));
