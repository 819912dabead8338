import type { LaneBatch } from '../../services/relay/src/kafka/publisher.ts';
import {
  comparePositions,
  sourcePositionFromText,
} from '../../services/relay/src/wal/source-position.ts';
import { ParkedKeys } from '../../services/relay/src/poison/parked-keys.ts';
import { decodeCommit, messageKind } from '../../services/relay/src/wal/pgoutput.ts';
import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import { recordHeader } from '@outbound/contract';
import {
  anyTailBelieved,
  holeAcknowledged,
  positionBelieved,
  refutedForgotten,
  viewsKept,
  withheldAcknowledged,
} from './planted-inside.ts';
import { delivered, relayed, streamed, withSession, withStream } from './planted-around.ts';
import type { PlantedBug } from './planted-bug.ts';
import { plantedHealthBugs } from './planted-health-bugs.ts';
import { plantedWorldBugs } from './planted-world-bugs.ts';
import { ownTail } from './simulated-publisher.ts';

let sessions = 0;

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'acknowledges a commit before the broker has answered',
    breaks: ['I6'],
    parts: withStream((listener, stream) =>
      relayed(listener, {
        message: (bytes) => {
          listener.message(bytes);
          if (messageKind(bytes) === 'commit')
            stream()?.report({ ackLsn: decodeCommit(bytes).commitEndLsn, idle: true });
        },
      }),
    ),
  },
  {
    name: 'takes a batch for published when it was only sent',
    breaks: ['I6'],
    parts: withSession((session) => ({
      send: (batches) => {
        session.send(batches).catch(() => undefined);
        return Promise.resolve(batches.map(delivered));
      },
    })),
  },
  {
    name: 'skips a batch on an error',
    breaks: ['I1', 'I6'],
    parts: withSession((session) => ({
      send: async (batches) => {
        try {
          return await session.send(batches);
        } catch {
          return batches.map(delivered);
        }
      },
    })),
  },
  { name: 'keeps a view of the source’s buffer', breaks: ['I5'], within: viewsKept },
  {
    name: 'sends another batch of the lane after a rejection',
    breaks: ['I1', 'I3', 'I6', 'I8'],
    // The numbering refuses this loudly (INVARIANT_BROKEN); that is its purpose, and what is to be seen here.
    parts: withSession((session) => ({
      send: async (batches) => {
        try {
          return await session.send(batches);
        } catch (thrown) {
          const others = batches.filter(({ records }) => records.length > 1);
          if (others.length === 0) throw thrown;
          await session.send(
            others.map((batch) => ({ ...batch, records: batch.records.slice(1) })),
          );
          throw thrown;
        }
      },
    })),
  },
  {
    name: 'takes the tail of a foreign source for its own',
    // No loss: the log does not have it, so it is not believed, and everything comes again.
    breaks: ['I7'],
    publisher: {
      tailOf: (records) => {
        const headers = records.at(-1)?.record.headers ?? {};
        const text = headers[recordHeader.sourceLsn] ?? '';
        const position = sourcePositionFromText(text, text.slice(-8));
        return position && { position, eid: headers[recordHeader.id] ?? '' };
      },
    },
  },
  {
    name: 'does not see that a partition is missing in an answer',
    breaks: ['I1', 'I6'],
    parts: withSession((session) => ({
      send: async (batches) => {
        await session.send(batches);
        return batches.map(delivered);
      },
    })),
  },
  {
    name: 'does not fence its predecessors',
    plot: 'takeover',
    breaks: ['I3', 'I4'],
    publisher: {
      transactionalId: () => {
        sessions += 1;
        return `session-${sessions}`;
      },
    },
  },
  {
    name: 'acknowledges a keepalive while something is in flight',
    breaks: ['I6'],
    parts: withStream((listener, stream) =>
      relayed(listener, {
        keepalive: (walEnd) => {
          listener.keepalive(walEnd);
          stream()?.report({ ackLsn: walEnd, idle: true });
        },
      }),
    ),
  },
  {
    name: 'acknowledges one byte more',
    breaks: ['I1', 'I6'],
    parts: withStream(
      (listener) => listener,
      (stream) =>
        streamed(stream, {
          report: ({ ackLsn, idle }) => stream.report({ ackLsn: (ackLsn + 1n) as Lsn, idle }),
        }),
    ),
  },
  {
    name: 'publishes again what the partition holds',
    breaks: ['I7'],
    parts: withSession(() => ({ tails: new Map() })),
  },
  {
    name: 'mints a new event id for every session',
    breaks: ['I2', 'I7'],
    parts: withSession((session) => {
      sessions += 1;
      const suffix = `#${sessions}`;
      const batchesSent = new WeakMap<LaneBatch, LaneBatch>();
      return {
        send: (batches) =>
          session.send(
            batches.map((batch) => {
              const known = batchesSent.get(batch);
              if (known) return known;
              const renamed = {
                ...batch,
                records: batch.records.map((record) => ({
                  ...record,
                  headers: {
                    ...record.headers,
                    [recordHeader.id]: `${record.headers[recordHeader.id] ?? ''}${suffix}`,
                  },
                })),
              };
              batchesSent.set(batch, renamed);
              return renamed;
            }),
          ),
      };
    }),
  },
  {
    name: 'reads on while Kafka is down',
    breaks: ['I9'],
    parts: withStream(
      (listener) => listener,
      (stream) => streamed(stream, { pause: () => undefined }),
    ),
  },
  {
    name: 'reorders the records of a batch',
    breaks: ['I3', 'I4'],
    parts: withSession((session) => {
      const turned = new WeakMap<LaneBatch, LaneBatch>();
      return {
        send: (batches) =>
          session.send(
            batches.map((batch) => {
              const known = turned.get(batch) ?? {
                ...batch,
                records: [...batch.records].reverse(),
              };
              turned.set(batch, known);
              return known;
            }),
          ),
      };
    }),
  },
  {
    name: 'believes that it still holds the slot after a stall, and does not fence',
    plot: 'takeover',
    breaks: ['I3', 'I4', 'I7'],
    parts: withStream(
      (listener) => listener,
      (stream) => streamed(stream, { holdsSlot: () => Promise.resolve(true) }),
    ),
    publisher: {
      transactionalId: () => {
        sessions += 1;
        return `session-${sessions}`;
      },
    },
  },
  { name: 'believes any tail', plot: 'restore', breaks: ['I1', 'I6'], within: anyTailBelieved },
  {
    name: 'believes a tail by its position alone',
    breaks: ['I1', 'I6'],
    within: positionBelieved,
    plot: 'restore',
  },
  {
    name: 'takes the furthest tail instead of the last',
    breaks: ['I4'],
    plot: 'repetition',
    publisher: {
      tailOf: (records, fingerprint) =>
        records
          .flatMap((record) => ownTail([record], fingerprint) ?? [])
          .sort((a, b) => comparePositions(b.position, a.position))[0],
    },
  },
  {
    name: 'acknowledges what is withheld',
    breaks: ['I1', 'I6'],
    within: withheldAcknowledged,
  },
  {
    name: 'forgets which tails it has refuted',
    plot: 'restore',
    breaks: ['I8'],
    within: refutedForgotten,
  },
  {
    name: 'acknowledges over a hole where it joins what is delivered',
    breaks: ['I1', 'I6'],
    within: holeAcknowledged,
  },
  {
    name: 'forgets at a restart which keys are parked',
    plot: 'poison',
    breaks: ['I3', 'I1'],
    parts: withSession((session) => ({ parked: session.parked && new ParkedKeys() })),
  },
  {
    name: 'decides again after a restart, by what it knows now',
    plot: 'poison',
    breaks: ['I1', 'I3'],
    parts: withSession(({ parked }) => {
      if (!parked) return {};
      const standing = parked.standing.bind(parked);
      parked.standing = (...of) => ({ ...standing(...of), recorded: undefined });
      return { parked };
    }),
  },
  {
    name: 'takes the journal of parked keys for written when it was only sent',
    plot: 'poison',
    breaks: ['I1', 'I3', 'I6', 'I8'],
    parts: withSession((session) => ({
      send: async (batches) => {
        const isJournal = ({ topic }: LaneBatch) => topic.endsWith('parked-keys');
        session.send(batches.filter(isJournal)).catch(() => undefined);
        const others = batches.filter((batch) => !isJournal(batch));
        const answers = others.length > 0 ? await session.send(others) : [];
        return [...batches.filter(isJournal).map(delivered), ...answers];
      },
    })),
  },
  ...plantedWorldBugs,
  ...plantedHealthBugs,
];
