import { expect, test } from 'vitest';
import { refuseTooMuchLog } from './log-room.ts';

const mebibyte = 1024 * 1024;

test('what is missing has to fit into the log that the server keeps for a slot, with room for what comes until it is read', () => {
  expect(() => refuseTooMuchLog(90 * mebibyte, 100 * mebibyte)).toThrow(
    expect.objectContaining({
      code: 'LOG_LIMIT_TOO_LOW',
      exitCode: 2,
      message: expect.stringMatching(
        /about 90.0 MiB of log.*no more than 100.0 MiB.*max_slot_wal_keep_size = '180MB'/,
      ) as string,
    }),
  );
  expect(() => refuseTooMuchLog(75 * mebibyte, 100 * mebibyte)).not.toThrow();
  expect(() => refuseTooMuchLog(1e15, undefined)).not.toThrow();
});
