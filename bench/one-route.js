/**
 * One route instead of two, for the relay's RELAY_EVENT_TYPES: the peers publish one record per event, so a row with one record is
 * the one to lay beside theirs. Held equal to the first route of the repository's own declaration by a test.
 */
const value = 'value';

export const eventTypes = [
  {
    name: 'catalog.product-change',
    category: 'data',
    owner: 'catalog-api',
    dataType: 'catalog.product',
    version: '1.1.0',
    routes: [
      {
        topic: 'catalog.product-change',
        cleanupPolicy: 'delete',
        partitions: 6,
        retentionMs: 604_800_000,
        forms: { C: value, U: value, D: value, S: value },
      },
    ],
  },
];
