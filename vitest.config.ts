import { defineConfig } from 'vitest/config';

/**
 * One project per need. A file's suffix says what it needs: `.test.ts` nothing, `.pg.test.ts` Postgres,
 * `.kafka.test.ts` Kafka, `.system.test.ts` both and real processes, `.docker.test.ts` a Docker engine.
 * `alone` names those that may have no other file beside them.
 */
const special = ['**/*.{pg,kafka,system,docker}.test.ts'];
/** Each file has servers of its own and waits for them more than it computes. */
const twoAtOnce = 2;
/**
 * Those that measure a time, set watchdogs to a second or less, or fill both cores: beside another file they would test
 * that one. They run behind the others of their need, one at a time (vitest keeps a project without parallel files for the
 * end).
 */
const alone = {
  kafka: [
    'packages/consumer/src/subscribe/subscribe-control.kafka.test.ts',
    'services/relay/src/kafka/kafka-{failover,network,publisher}.kafka.test.ts',
  ],
  system: [
    'test/{huge-transaction,stops-in-time,takes-over}.system.test.ts',
    'test/faults/fences-a-paused-relay.system.test.ts',
  ],
} as const;
const exclude = ['**/node_modules/**', '**/dist/**', '.data/**'];

const kafkaTimes = { testTimeout: 180_000, hookTimeout: 180_000 };
const systemTimes = {
  globalSetup: 'test/support/build-services.ts',
  testTimeout: 900_000,
  hookTimeout: 300_000,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...exclude, ...special],
          testTimeout: 30_000,
          // Pure functions share no state worth a process of its own; half of the suite's time was loading the same modules again.
          isolate: false,
          // By default a run leaves one core free, which halves a machine of two.
          maxWorkers: '100%',
        },
      },
      {
        test: {
          name: 'pg',
          include: ['**/*.pg.test.ts'],
          exclude,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: twoAtOnce,
        },
      },
      {
        test: {
          name: 'kafka',
          include: ['**/*.kafka.test.ts'],
          exclude: [...exclude, ...alone.kafka],
          ...kafkaTimes,
          maxWorkers: twoAtOnce,
        },
      },
      {
        test: {
          name: 'kafka-alone',
          include: [...alone.kafka],
          exclude,
          ...kafkaTimes,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'system',
          include: ['**/*.system.test.ts'],
          exclude: [...exclude, ...alone.system],
          ...systemTimes,
          maxWorkers: twoAtOnce,
        },
      },
      {
        test: {
          name: 'system-alone',
          include: [...alone.system],
          exclude,
          ...systemTimes,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'docker',
          include: ['**/*.docker.test.ts'],
          globalSetup: 'test/support/build-services.ts',
          exclude,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
