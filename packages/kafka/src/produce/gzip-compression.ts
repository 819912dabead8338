import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { BatchCompression } from './record-batch.ts';

export const gzipCompression: BatchCompression = {
  codec: 1,
  // Level 1: on small JSON the higher ones cost several times the processor time for a few per cent.
  compress: (records) => promisify(gzip)(records, { level: constants.Z_BEST_SPEED }),
};
