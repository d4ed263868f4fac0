import type { HttpCheckRules } from "./http-rules.ts";

/**
 * The health check of an AWS Application Load Balancer's target group as AWS sets it up. A target "must pass one health
 * check to be considered healthy". Spread it into `httpCheck`.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
 */
export const albHealthCheck: HttpCheckRules = {
  path: "/",
  intervalMs: 30_000,
  timeoutMs: 5_000,
  rise: 5,
  fall: 2,
  expect: "200",
  initial: "check-first",
};

/**
 * The monitor of a Cloudflare load balancer as Cloudflare sets it up: after a failure two retries "immediately" (here a
 * second apart), and one passed check brings an origin back. Spread it into `httpCheck`.
 *
 * @see https://developers.cloudflare.com/api/resources/load_balancers/subresources/monitors/
 */
export const cloudflareMonitor: HttpCheckRules = {
  path: "/",
  intervalMs: 60_000,
  fastIntervalMs: 1_000,
  timeoutMs: 5_000,
  rise: 1,
  fall: 3,
  expect: "200",
};
