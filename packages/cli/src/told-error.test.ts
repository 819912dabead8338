import { ConsumerError } from '@outbound/consumer';
import { PipelineError } from '@outbound/service-kit';
import { expect, test } from 'vitest';
import { CliError } from './exit-codes.ts';
import { toldError } from './told-error.ts';

const postgres = (code: string, message = 'no') =>
  Object.assign(new Error(message), { code, severity: 'ERROR', detail: 'Key (sku)=(SECRET)' });
const system = (code: string, over: object = {}) =>
  Object.assign(new Error(`${code}: it failed`), { code, ...over });
const wrapped = (cause: unknown) => new Error('Failed query: select secret', { cause });

test.each<[string, unknown, number, string]>([
  ['a stalled reader', new ConsumerError('READER_STALLED', 'for 30 s'), 5, 'READER_STALLED'],
  ['a refusal of Kafka', new ConsumerError('READ_REFUSED', 'no'), 5, 'READ_REFUSED'],
  ['a foreign store', new ConsumerError('STORE_UNUSABLE', 'no'), 2, 'STORE_UNUSABLE'],
  ['a store that is away', new ConsumerError('STORE_UNAVAILABLE', 'no'), 5, 'STORE_UNAVAILABLE'],
  ['a store that fails', new ConsumerError('STORE_FAILED', 'no'), 1, 'STORE_FAILED'],
  ['a wrong setting', new PipelineError('CONFIG_INVALID', 'no'), 2, 'CONFIG_INVALID'],
  ['a defect of ours', new PipelineError('ODD', 'no'), 1, 'ODD'],
  ['a wrong password', postgres('28P01'), 5, 'DATABASE_UNAVAILABLE'],
  ['a server that stops', wrapped(postgres('57P01')), 5, 'DATABASE_UNAVAILABLE'],
  [
    'a database that takes no connections',
    postgres('55000', 'database "x" is not currently accepting connections'),
    ...([5, 'DATABASE_UNAVAILABLE'] as const),
  ],
  ['a right that is missing', wrapped(postgres('42501')), 1, 'DATABASE_FORBIDDEN'],
  [
    'a statement that fails',
    postgres('42P01', 'relation "x" does not exist'),
    1,
    'DATABASE_FAILED',
  ],
  ['a lost connection', new Error('Connection terminated unexpectedly'), 5, 'DATABASE_UNAVAILABLE'],
  [
    'a connection that was lost between two statements',
    new Error('Client has encountered a connection error and is not queryable'),
    ...([5, 'DATABASE_UNAVAILABLE'] as const),
  ],
  ['a store that went back', new ConsumerError('STORE_WENT_BACK', 'no'), 5, 'STORE_WENT_BACK'],
  ['nobody at the port', new AggregateError([system('ECONNREFUSED')]), 5, 'NOT_REACHED'],
  ['a full disk', system('ENOSPC', { syscall: 'write' }), 1, 'FILE_FAILED'],
  ['a full disk at its file', system('ENOSPC', { path: '/x/y' }), 1, 'FILE_FAILED'],
  ['a file of somebody else', system('EPERM', { path: '/x/y' }), 2, 'FILE_FAILED'],
  ['a disk that is read only', system('EROFS', { path: '/x/y' }), 2, 'FILE_FAILED'],
  [
    'an error of ours inside of another',
    wrapped(new CliError('OURS', 'x', { exitCode: 6 })),
    6,
    'OURS',
  ],
  ['anything else', new Error('odd'), 1, 'FAILED'],
  ['no error at all', 'text', 1, 'FAILED'],
])('%s ends every verb alike', (_, thrown, exitCode, code) => {
  const told = toldError(thrown);
  expect([told.exitCode, told.code]).toEqual([exitCode, code]);
  expect(told.message).not.toMatch(/SECRET|select secret/);
});
