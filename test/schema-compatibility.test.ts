import { judgeEventType, readReleases } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { describe, expect, it } from 'vitest';

/** The gate of the contract: it runs in `npm run check`, so a break cannot be merged unseen. */
describe('a declared event type keeps what was released', async () => {
  const releases = await readReleases('packages/schemas/released');

  it.each([...eventTypes.keys()])('%s (else: npm run outbound -- schemas check)', (name) => {
    const eventType = eventTypes.get(name);
    if (eventType === undefined) throw new Error(`no ${name}`);
    expect(judgeEventType(eventType, releases).problems).toEqual([]);
  });

  it('goes on to exist', () => {
    for (const { event_type } of releases) expect([...eventTypes.keys()]).toContain(event_type);
  });
});
