// Node, Bun and Deno: prints its report as the last line.
import { makeReport } from "../report.ts";

const [addresses = "{}"] = process.argv.slice(2);

console.log(`\n${JSON.stringify(await makeReport(JSON.parse(addresses), false))}`);
process.exit();
