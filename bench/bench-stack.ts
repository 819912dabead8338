import { startTestStack, type TestStack } from '../test/support/test-stack.ts';

/** Settings of every Postgres server here. */
export const benchPostgresSettings = {
  shared_buffers: '512MB',
  autovacuum: 'off',
  track_commit_timestamp: 'on',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  wal_sender_timeout: '60s',
} as const;

/**
 * Servers as they would run in production, on loopback: durable commits, Java's own compiler, and no housekeeping that could fall
 * into one contender's run and not the other's. Records are stamped when the broker appends them, which is what rates are counted
 * by; commit times are kept, which is where latencies begin.
 */
export async function startBenchStack(): Promise<TestStack> {
  return startTestStack({
    postgres: {
      settings: benchPostgresSettings,
    },
    kafka: {
      jvm: 'throughput',
      heapMb: 1024,
      settings: { 'log.message.timestamp.type': 'LogAppendTime' },
    },
  });
}
