import { deadLetterTopics } from '@outbound/contract';
import { expect, it } from 'vitest';
import { readJournal } from './waiting-keys.ts';

it('gives no keys where it was interrupted: what it had not read would be free', async () => {
  const connection = {
    ...{ brokers: ['127.0.0.1:1'], clientId: 'test', tls: undefined, sasl: undefined },
    ...{ connectTimeoutMs: 1000, silenceLimitMs: 1000 },
  };
  const source = {
    connection,
    admin: { topicRanges: () => Promise.resolve([]) },
    topics: deadLetterTopics(''),
    signal: AbortSignal.abort(),
  };
  await expect(readJournal(source)).rejects.toThrow('aborted');
});
