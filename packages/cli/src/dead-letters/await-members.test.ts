import { RedriveBook, type RedriveRequest } from '@outbound/consumer';
import { describe, expect, it } from 'vitest';
import { awaitMembers } from './await-members.ts';
import { endText } from './queues-text.ts';

const request = (id: string): RedriveRequest => ({
  ...{ group: 'g', topic: 't', key: 'a', id, verb: 'redrive', partition: 0, at: '' },
  ...{ from: { '0': 0n }, through: { '0': 0n } },
});

function journal(...ids: readonly string[]): { readonly look: () => Promise<RedriveBook> } {
  const book = new RedriveBook();
  for (const id of ids) book.add({ kind: 'request', entry: request(id) });
  return { look: () => Promise.resolve(book) };
}

describe('waiting for members', () => {
  it('ends at once where something else was asked for since, and says so', async () => {
    const signal = new AbortController().signal;
    const ends = await awaitMembers(journal('1', '2'), [request('1')], {
      signal,
      hasMembers: true,
    });
    expect(ends.map(endText)).toEqual([
      'g t a: something else was asked for it meanwhile, and that counts',
    ]);
  });

  it('is over with the signal, without an answer', async () => {
    const stop = new AbortController();
    const waiting = awaitMembers(journal('1'), [request('1')], {
      signal: stop.signal,
      hasMembers: true,
    });
    stop.abort();
    await expect(waiting).rejects.toThrow('aborted');
  });
});
