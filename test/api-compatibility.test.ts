import { judgeApi } from '@outbound/contract';
import { expect, it } from 'vitest';
import { apiDocument, readDocument, releasedApis } from '../scripts/released-apis.ts';

/** The gate of the REST contract, as `schema-compatibility` is that of the events: it runs in `npm run check`. */
it('the API keeps what was released, and says in its version what has changed', () => {
  expect(judgeApi(readDocument(apiDocument), releasedApis())).toEqual([]);
});
