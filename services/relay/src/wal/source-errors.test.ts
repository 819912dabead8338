import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import { isServerStopping, toSourceError, type SourcePhase } from './source-errors.ts';

const phases = ['connect', 'check', 'start', 'stream'] as const satisfies SourcePhase[];
const coded = (code: string, message = 'words') => Object.assign(new Error(message), { code });

describe('an error of the driver or the server', () => {
  it.each([
    ['57P01', 'SOURCE_CONNECTION_LOST'],
    ['57P02', 'SOURCE_CONNECTION_LOST'],
    ['57P03', 'SOURCE_CONNECTION_LOST'],
    ['53300', 'SOURCE_CONNECTION_LOST'],
    ['53100', 'SOURCE_CONNECTION_LOST'],
    ['08006', 'SOURCE_CONNECTION_LOST'],
    ['40P01', 'SOURCE_CONNECTION_LOST'],
    ['28P01', 'SOURCE_AUTH_FAILED'],
    ['28000', 'SOURCE_AUTH_FAILED'],
    ['42501', 'SOURCE_AUTH_FAILED'],
    ['3D000', 'CONFIG_INVALID'],
    ['55006', 'SOURCE_SLOT_BUSY'],
    ['42710', 'SOURCE_SLOT_BUSY'],
    ['25006', 'SOURCE_IN_RECOVERY'],
    ['58030', 'SOURCE_CONNECTION_LOST'],
    ['58P01', 'SOURCE_SLOT_INVALIDATED'],
    ['42P01', 'SOURCE_OUTBOX_MISSING'],
    ['ECONNREFUSED', 'SOURCE_CONNECTION_LOST'],
    ['ECONNRESET', 'SOURCE_CONNECTION_LOST'],
    ['EAI_AGAIN', 'SOURCE_CONNECTION_LOST'],
    ['EAI_FAIL', 'SOURCE_CONNECTION_LOST'],
    ['EACCES', 'SOURCE_CONNECTION_LOST'],
    ['EPERM', 'SOURCE_CONNECTION_LOST'],
    ['EMFILE', 'SOURCE_CONNECTION_LOST'],
    ['ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', 'SOURCE_CONNECTION_LOST'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'SOURCE_CONNECTION_LOST'],
    ['CERT_HAS_EXPIRED', 'SOURCE_AUTH_FAILED'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'SOURCE_AUTH_FAILED'],
    ['XX000', 'INVARIANT_BROKEN'],
    ['ERR_INVALID_ARG_TYPE', 'INVARIANT_BROKEN'],
  ])('%s is %s in every phase', (code, expected) => {
    for (const phase of phases) {
      const error = toSourceError(coded(code), phase, 'doing');
      expect(error.code).toBe(expected);
      expect(error.message).toBe(`doing (${code}): words`);
    }
  });

  it('42704 is a missing slot at the start and a missing publication in the stream', () => {
    expect(toSourceError(coded('42704'), 'start', 'd').code).toBe('SOURCE_SLOT_MISSING');
    expect(toSourceError(coded('42704'), 'stream', 'd').code).toBe('SOURCE_PUBLICATION_MISSING');
  });

  it('55000 is a server in recovery at its questions, and a slot that was given up at the start', () => {
    expect(toSourceError(coded('55000'), 'check', 'd').code).toBe('SOURCE_IN_RECOVERY');
    expect(toSourceError(coded('55000'), 'start', 'd').code).toBe('SOURCE_SLOT_INVALIDATED');
  });

  it('a certificate file of the URL that is not there is a wrong setting', () => {
    const cause = Object.assign(coded('ENOENT'), { syscall: 'open', path: '/root.crt' });
    expect(toSourceError(cause, 'connect', 'd').code).toBe('CONFIG_INVALID');
  });

  it('08P01 is a pooler at the start and a frame of ours in the stream', () => {
    expect(toSourceError(coded('08P01'), 'connect', 'd').code).toBe('SOURCE_UNSUPPORTED');
    expect(toSourceError(coded('08P01'), 'stream', 'd').code).toBe('DECODE_PROTOCOL');
  });

  it.each([
    ['Connection terminated unexpectedly', 'SOURCE_CONNECTION_LOST'],
    ['timeout expired', 'SOURCE_CONNECTION_LOST'],
    ['Query read timeout', 'SOURCE_CONNECTION_LOST'],
    ['The server does not support SSL connections', 'SOURCE_AUTH_FAILED'],
    ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'SOURCE_AUTH_FAILED'],
    ['something else', 'INVARIANT_BROKEN'],
  ])('"%s" of the driver is %s', (message, expected) => {
    expect(toSourceError(new Error(message), 'stream', 'doing').code).toBe(expected);
  });

  it('repeats no row values: the detail of the server stays in the cause', () => {
    const cause = Object.assign(coded('23514', 'violates check'), {
      detail: 'Failing row (secret)',
    });
    expect(toSourceError(cause, 'check', 'doing').message).not.toContain('secret');
  });

  it('is left alone if it is one of ours, and taken if it is no Error at all', () => {
    const own = new RelayError('DECODE_PROTOCOL', 'x');
    expect(toSourceError(own, 'stream', 'doing')).toBe(own);
    expect(toSourceError('text', 'stream', 'doing').code).toBe('INVARIANT_BROKEN');
  });

  it('tells a server that stops from one that is gone', () => {
    expect(isServerStopping(coded('57P01'))).toBe(true);
    expect(isServerStopping(coded('57P05'))).toBe(false);
    expect(isServerStopping(new Error('Connection terminated unexpectedly'))).toBe(false);
    expect(isServerStopping(undefined)).toBe(false);
  });
});
