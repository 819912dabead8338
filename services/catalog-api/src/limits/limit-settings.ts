import { integerSetting } from '@outbound/service-kit';

/** Settings of what one caller, and all of them, may ask at a time. Where authentication is off there are no callers to tell apart: then the bound of all holds. */
export function limitSettings() {
  return {
    rateLimitPerSecond: integerSetting({ min: 0, max: 1_000_000 })
      .default(1_000)
      .describe('Requests a second of one caller in the long run; more are answered 429. 0: any.'),
    rateLimitBurst: integerSetting({ min: 1, max: 1_000_000 })
      .default(2_000)
      .describe('Requests of one caller at once, after a pause.'),
    maxRequests: integerSetting({ min: 1, max: 100_000 })
      .default(1_000)
      .describe('Most requests under way; more are answered 503.'),
    maxRequestsPerCaller: integerSetting({ min: 1, max: 100_000 })
      .default(100)
      .describe('Most requests of one caller under way; more are answered 429.'),
    poolSizePerCaller: integerSetting({ min: 1, max: 1_000 })
      .default(8)
      .describe(
        'Most connections to Postgres that requests of one caller use at a time; at least one of the pool is left to others.',
      ),
  };
}
