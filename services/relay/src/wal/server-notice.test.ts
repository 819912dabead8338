import { expect, test } from 'vitest';
import { tellsOfSkippedPublication } from './server-notice.ts';

test.each([
  ['18 in English', '55000', 'skipped loading publication "outbound"', 'LoadPublications', true],
  ['18 in another language', '55000', 'Publikation wird übersprungen', 'LoadPublications', true],
  ['a code without its function', '55000', 'Publikation wird übersprungen', undefined, true],
  [
    'a standby that is down',
    '55000',
    'replication slot "s" specified in parameter "synchronized_standby_slots" does not have active_pid',
    'StandbySlotsHaveCaughtup',
    false,
  ],
  ['another warning', '01000', 'words', 'Elsewhere', false],
  ['another warning without its function', '01000', 'words', undefined, false],
])('a warning is about a missing publication or not: %s', (_, code, message, routine, says) => {
  expect(tellsOfSkippedPublication({ code, message, routine })).toBe(says);
});
