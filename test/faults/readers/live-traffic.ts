import { setTimeout as delay } from 'node:timers/promises';
import { KcatProducer, type VersionCounter } from './kcat-producer.ts';

/** Events that are written while something else goes on. */
export interface LiveTraffic {
  /** Writes no more; resolves when everything that it promised is in the topic. */
  end(): Promise<void>;
  kill(): void;
}

/** How many keys the events of a round have. */
export const keyCount = 2_000;

/** Some of the first `of` keys. */
export function someKeys(random: () => number, count: number, of = keyCount): string[] {
  return Array.from({ length: count }, () => `k-${Math.floor(random() * of)}`);
}

/** Up to 2,000 events a second of random keys, through kcat. */
export function plainTraffic(options: {
  readonly bootstrap: readonly string[];
  readonly topic: string;
  readonly versions: VersionCounter;
  readonly random: () => number;
}): LiveTraffic {
  const { bootstrap, topic, versions, random } = options;
  const producer = new KcatProducer(bootstrap, topic, versions);
  const ended = new AbortController();
  const write = async () => {
    while (!ended.signal.aborted) {
      await producer.write(someKeys(random, 40));
      await delay(20);
    }
  };
  const writing = write();
  writing.catch(() => undefined);
  return {
    end: async () => {
      ended.abort();
      await writing;
      await producer.end();
    },
    kill: () => {
      ended.abort();
      producer.kill();
    },
  };
}
