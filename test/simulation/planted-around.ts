import type {
  Delivery,
  LaneBatch,
  Publisher,
  PublisherSession,
} from '../../services/relay/src/kafka/publisher.ts';
import type { RelayParts } from '../../services/relay/src/relay-parts.ts';
import type {
  ChangeListener,
  ChangeSource,
  ChangeStream,
} from '../../services/relay/src/wal/change-source.ts';
import type { Plant } from './relay-assembly.ts';

/** Puts something in the place of a part of the assembly. */
export type AssemblyChange = NonNullable<Plant['parts']>;

/** As if the broker had confirmed it. */
export const delivered = ({ topic, partition }: LaneBatch): Delivery => ({
  topic,
  partition,
  baseOffset: -1n,
});

/** `change` gives what each session does instead. */
export function withSession(
  change: (session: PublisherSession) => Partial<PublisherSession>,
): (parts: RelayParts) => RelayParts {
  return (parts) => ({
    ...parts,
    publisher: {
      open: async (identity, startLsn) => {
        const session = await parts.publisher.open(identity, startLsn);
        return { ...bound(session), ...change(session) };
      },
    } satisfies Publisher,
  });
}

function bound(session: PublisherSession): PublisherSession {
  return {
    tails: session.tails,
    parked: session.parked,
    leaderOf: (topic, partition) => session.leaderOf(topic, partition),
    send: (batches) => session.send(batches),
    mustRenew: () => session.mustRenew(),
    close: () => session.close(),
  };
}

/** `change` sees what the relay is told and may report in its place. */
export function withStream(
  change: (listener: ChangeListener, stream: () => ChangeStream | undefined) => ChangeListener,
  changeStream: (stream: ChangeStream) => ChangeStream = (stream) => stream,
): AssemblyChange {
  return (parts: RelayParts) => ({
    ...parts,
    source: {
      open: async (listener) => {
        const opened: { stream?: ChangeStream } = {};
        const stream = await parts.source.open(change(listener, () => opened.stream));
        opened.stream = changeStream(stream);
        return opened.stream;
      },
    } satisfies ChangeSource,
  });
}

/** The listener with some of its methods replaced. */
export function relayed(listener: ChangeListener, over: Partial<ChangeListener>): ChangeListener {
  return {
    opened: (identity) => listener.opened(identity),
    message: (bytes) => listener.message(bytes),
    keepalive: (walEnd) => listener.keepalive(walEnd),
    closed: (reason) => listener.closed(reason),
    ...over,
  };
}

/** The stream with some of its methods replaced. */
export function streamed(stream: ChangeStream, over: Partial<ChangeStream>): ChangeStream {
  return {
    identity: stream.identity,
    startLsn: stream.startLsn,
    heldForMs: stream.heldForMs,
    report: (progress) => stream.report(progress),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    holdsSlot: () => stream.holdsSlot(),
    flushedLsn: () => stream.flushedLsn(),
    close: () => stream.close(),
    ...over,
  };
}
