import { expect, test } from 'vitest';
import { judgeSender } from './sender-life.ts';

test.each([
  ['one that another process has replaced', undefined, 'gone'],
  ['one that decodes', { waitEventType: null, waitEvent: null }, 'works'],
  [
    'one that reads its spill files',
    { waitEventType: 'IO', waitEvent: 'ReorderBufferRead' },
    'works',
  ],
  ['one that waits for a lock', { waitEventType: 'LWLock', waitEvent: 'WALWrite' }, 'works'],
  ['one without news', { waitEventType: 'Activity', waitEvent: 'WalSenderMain' }, 'waits'],
  [
    'one that waits for log',
    { waitEventType: 'Client', waitEvent: 'WalSenderWaitForWal' },
    'waits',
  ],
  ['one that nobody reads', { waitEventType: 'Client', waitEvent: 'WalSenderWriteData' }, 'waits'],
] as const)('a silent sender, %s', (_, activity, life) => {
  expect(judgeSender(activity)).toBe(life);
});
