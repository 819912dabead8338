import type { ReadinessCheck } from '@outbound/service-kit';
import type { BoundedPool } from './bounded-pool.ts';
import { onceDone } from './once-done.ts';

/**
 * A readiness check that is green once the pool is open, and stays so. A question that comes after connections were lost has the pool opened again, and does not wait for it: requests open what they need
 * meanwhile, and whether there is a database is not for this check to say.
 */
export function poolCheck(pool: BoundedPool): ReadinessCheck {
  const opened = onceDone(() => pool.open());
  let hasLost = false;
  pool.on('remove', () => (hasLost = true));
  return async () => {
    const found = await opened();
    if (hasLost) {
      hasLost = false;
      pool.open().catch(() => (hasLost = true));
    }
    return found;
  };
}
