import { readTopics, type KafkaRecord } from '@outbound/consumer';
import { recordHeader } from '@outbound/contract';
import { demoConnection } from './demo-connection.ts';
import { LagWindow } from './lag-window.ts';

/** A subscriber that follows a topic while the demo writes. */
export interface LiveConsumer extends AsyncDisposable {
  readonly lags: LagWindow;
  readonly close: () => Promise<void>;
}

/** A record as one line: what changed, where it is, how long it took. Never its content. */
export function describeRecord({ topic, partition, offset, headers }: KafkaRecord): string {
  const header = (name: string) => headers[name] ?? '?';
  return `${header(recordHeader.dataOp)} ${header(recordHeader.subject)} on ${topic}/${partition} at offset ${offset}`;
}

/**
 * Follows the topic from its end. Comes back when the ends are known, so that nothing that is written afterwards is missed.
 * @param options.onFirst called once, with the first record as a line, at the moment it is visible.
 * @throws what `readTopics` throws before that; `close` throws what it throws later.
 */
export async function followTopic({
  brokers,
  topic,
  onFirst,
}: {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly onFirst: (line: string) => void;
}): Promise<LiveConsumer> {
  const lags = new LagWindow();
  const stop = new AbortController();
  let known: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (known = resolve));
  const reading = readTopics({
    connection: demoConnection(brokers, 'outbound-demo-live'),
    topics: [topic],
    from: ({ high }) => high,
    until: 'forever',
    signal: stop.signal,
    onCaughtUp: known,
    onBatch: (records) => {
      const nowMs = Date.now();
      const [first] = records;
      if (lags.count === 0 && first) onFirst(describeRecord(first));
      // The relay stamps a record with its commit time.
      for (const { timestampMs } of records) lags.add(nowMs - timestampMs);
    },
  });
  await Promise.race([begun, reading]);
  // Seen at the end; until then its rejection has a handler.
  reading.catch(() => undefined);
  const close = async () => {
    stop.abort();
    await reading;
  };
  return { lags, close, [Symbol.asyncDispose]: close };
}
