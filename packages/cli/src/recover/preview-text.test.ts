import { expect, test } from 'vitest';
import { previewText, type RecoverPreview } from './preview-text.ts';

const preview: RecoverPreview = {
  ...{ slot: 'outbound', why: 'is lost', recordsRead: 9, missingEvents: 3, missingEntities: 2 },
  ...{ uncoveredEntities: 0, waitingEvents: 0, overtakenKeys: 0, logBytes: 1000 },
  ...{ failover: false, otherSlots: [] },
};

test('a preview says which other slots read the outbox, since their topics get the events once more', () => {
  expect(previewText(preview)).not.toContain('slots');
  expect(previewText({ ...preview, otherSlots: ['billing', 'search'] })).toContain(
    'billing, search read this outbox, too: what is written again comes again in their topics',
  );
  // Nothing is written again.
  expect(
    previewText({ ...preview, missingEvents: 0, missingEntities: 0, otherSlots: ['billing'] }),
  ).not.toContain('billing');
});
