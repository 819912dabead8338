import { expect, it } from 'vitest';
import { RelayError } from './errors.ts';
import type { PublisherSession } from './kafka/publisher.ts';
import { defaultSendLimits } from './kafka/send-plan.ts';
import { KnownOfSource } from './known-of-source.ts';
import { silentObserver } from './relay-observer.ts';
import { runSession } from './session.ts';
import type { ChangeListener, ChangeStream } from './wal/change-source.ts';
import { noLsn } from './wal/lsn.ts';

const gone = () =>
  Promise.reject(new RelayError('SOURCE_CONNECTION_LOST', 'nobody to ask any more'));

/** A stream that ends, and whose server can't be asked from then on. */
const endedStream: ChangeStream = {
  identity: { systemIdentifier: '1', timeline: 1, database: 'd', slot: 's' },
  startLsn: noLsn,
  heldForMs: Infinity,
  flushedLsn: gone,
  report: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  holdsSlot: gone,
  close: () => Promise.resolve(),
};

const publisherSession: PublisherSession = {
  leaderOf: () => 1,
  tails: new Map(),
  send: gone,
  mustRenew: () => false,
  close: () => Promise.resolve(),
};

it('a stream that ends by a verdict while Kafka is opened ends the session by that verdict, and not by what failed after it', async () => {
  let listener: ChangeListener | undefined;
  const session = runSession(
    {
      source: {
        open: (heard) => {
          listener = heard;
          return Promise.resolve(endedStream);
        },
      },
      publisher: {
        open: () => {
          listener?.closed(new RelayError('SOURCE_PUBLICATION_MISSING', 'rows are left out'));
          return Promise.resolve(publisherSession);
        },
      },
      eventTypes: new Map(),
      clock: { nowMs: () => 0, wallMs: () => 0, sleep: () => Promise.resolve() },
      random: () => 0.5,
      settings: {
        outbox: { schema: 'public', name: 'outbox' },
        limits: defaultSendLimits,
        maxInFlightBytes: 1,
        drainMs: 0,
        stallLimitMs: 1,
        skipEvents: new Set(),
      },
      observer: silentObserver,
      failPoint: () => undefined,
    },
    new KnownOfSource(),
    new AbortController().signal,
  );
  await expect(session).rejects.toMatchObject({ code: 'SOURCE_PUBLICATION_MISSING' });
});
