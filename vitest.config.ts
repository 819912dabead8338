import { defineConfig } from 'vitest/config';

/**
 * One project per need. A file's suffix says what it needs: `.test.ts` nothing, `.pg.test.ts` Postgres,
 * `.kafka.test.ts` Kafka, `.system.test.ts` both and real processes, `.docker.test.ts` a Docker engine.
 */
const special = ['**/*.{pg,kafka,system,docker}.test.ts'];
/** Each file has servers of its own and waits for them more than it computes. Those that kill and time brokers and processes run alone. */
const twoAtOnce = 2;
const exclude = ['**/node_modules/**', '**/dist/**', '.data/**'];

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
          exclude,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'system',
          include: ['**/*.system.test.ts'],
          globalSetup: 'test/support/build-services.ts',
          exclude,
          testTimeout: 900_000,
          hookTimeout: 300_000,
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
