import { describe, expect, it } from 'vitest';
import { ApiError, apiErrorCodes } from '../errors.ts';
import { rawAnswer, fromClientError } from './client-error.ts';
import { asApiError } from './framework-errors.ts';
import { problemHeaders, problemKinds, problemType, toProblem } from './problem.ts';

describe('a problem', () => {
  it.each(apiErrorCodes)('%s has a relative type of its own and an error status', (code) => {
    expect(problemType(code)).toMatch(/^\/problems\/[a-z]+(-[a-z]+)*$/);
    expect(problemKinds[code].status).toBeGreaterThanOrEqual(400);
  });

  it('says what, where, and when to come back', () => {
    const error = new ApiError('OVERLOADED', 'Full.', {
      retryAfterSeconds: 2,
      headers: { allow: 'GET' },
    });
    expect(toProblem(error, 'flow/1')).toEqual({
      type: '/problems/overloaded',
      title: 'The service is overloaded',
      status: 503,
      detail: 'Full.',
      instance: 'urn:flow:flow%2F1',
      flow_id: 'flow/1',
    });
    expect(problemHeaders(error)).toEqual({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'retry-after': '2',
      allow: 'GET',
    });
  });

  it('of an unknown error tells nothing of it', () => {
    for (const thrown of [new TypeError('secret of x'), 'secret', null, { code: 'constructor' }]) {
      const error = asApiError(thrown);
      expect(error.code).toBe('INTERNAL_ERROR');
      expect(JSON.stringify(toProblem(error, 'f'))).not.toContain('secret');
    }
  });
});

describe('an answer on a broken connection', () => {
  it.each([
    ['HPE_HEADER_OVERFLOW', 431],
    ['ERR_HTTP_REQUEST_TIMEOUT', 408],
    ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 413],
    ['HPE_INVALID_METHOD', 400],
    [undefined, 400],
  ])('to %s is a whole HTTP message with status %i', (code, status) => {
    const answer = rawAnswer(fromClientError(code), 'flow');
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} \\S`));
    expect(head).toContain(`content-length: ${Buffer.byteLength(body)}`);
    expect(head).toContain('connection: close');
    expect(JSON.parse(body)).toMatchObject({ status, flow_id: 'flow' });
  });
});
