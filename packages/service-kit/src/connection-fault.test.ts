import { expect, test } from 'vitest';
import { connectionFault } from './connection-fault.ts';

const coded = (code: string, over: object = {}) =>
  Object.assign(new Error('words'), { code, ...over });

test.each([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EACCES', 'EPERM', 'EADDRNOTAVAIL'],
  ...['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EPROTO', 'EADDRINUSE', 'ENOENT', 'EOF'],
  ...['ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'],
  ...['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'],
  ...['ERR_TLS_HANDSHAKE_TIMEOUT', 'ERR_SOCKET_CLOSED', 'ERR_STREAM_DESTROYED'],
])('%s of a connection is the network, which heals', (code) => {
  expect(connectionFault(coded(code))).toBe('network');
  expect(connectionFault(coded(code, { errno: -1, syscall: 'connect' }))).toBe('network');
  expect(connectionFault(new AggregateError([coded(code)]))).toBe('network');
});

test.each([
  ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_REVOKED', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'HOSTNAME_MISMATCH'],
  ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'INVALID_CA', 'INVALID_PURPOSE'],
  ...['ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'],
  ...['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'],
])('%s is a verdict on a certificate', (code) => {
  expect(connectionFault(coded(code))).toBe('certificate');
});

test.each<[string, unknown]>([
  ['a port of our own that is taken', coded('EADDRINUSE', { syscall: 'listen' })],
  ['a port that we may not have', coded('EACCES', { syscall: 'listen' })],
  ['a file that is not there', coded('ENOENT', { syscall: 'open', path: '/x' })],
  ['a file that we may not read', coded('EACCES', { syscall: 'open', path: '/x' })],
  ['a disk that is full', coded('ENOSPC', { syscall: 'write' })],
  ['an answer of Postgres', coded('57P01', { severity: 'FATAL' })],
  ['an error of ours whose code begins like one', coded('EVENT_TOO_LARGE')],
  ['a defect', coded('ERR_INVALID_ARG_TYPE')],
  ['an error without a code', new Error('odd')],
  ['several of them', new AggregateError([new Error('odd')])],
  ['no error', 'ECONNREFUSED'],
])('%s says nothing of a connection', (_, thrown) => {
  expect(connectionFault(thrown)).toBeUndefined();
});
