import type { CheckResult, ReadinessCheck } from '@outbound/service-kit';

/**
 * A readiness check for what has to be done once before a service is ready: green from then on, whatever comes. The first question begins it, further ones wait for it, and after a failure the next one begins
 * it anew.
 * @param work its rejection is that of the check.
 */
export function onceDone(work: () => Promise<void>): ReadinessCheck {
  let isDone = false;
  let underWay: Promise<void> | undefined;
  return async (): Promise<CheckResult> => {
    if (!isDone) {
      underWay ??= work().finally(() => (underWay = undefined));
      await underWay;
      isDone = true;
    }
    return { ok: true };
  };
}
