import type { Check } from "../check.ts";
import { balancing } from "./balancing.ts";
import { bodies } from "./bodies.ts";
import { logic } from "./logic.ts";
import { repeats } from "./repeats.ts";
import { responses } from "./responses.ts";
import { time } from "./time.ts";
import { umbrella } from "./umbrella.ts";

/** What must be so in every runtime. */
export const checks: readonly Check[] = [
  ...balancing,
  ...repeats,
  ...time,
  ...bodies,
  ...responses,
  ...logic,
  ...umbrella,
];
