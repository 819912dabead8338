import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Where `npm start` keeps Postgres' and Kafka's data and all logs: `.data` in the repository, or what OUTBOUND_DATA_DIR says,
 * so that a test has one of its own.
 */
export function dataDirectory(configured: string | undefined): string {
  return configured === undefined || configured === ''
    ? fileURLToPath(new URL('../.data', import.meta.url))
    : resolve(configured);
}
