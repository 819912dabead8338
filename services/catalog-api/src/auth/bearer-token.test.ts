import { describe, expect, it } from 'vitest';
import { maxTokenLength, readBearerToken } from './bearer-token.ts';

const read = (...values: string[]) =>
  readBearerToken(['Host', 'x', ...values.flatMap((value) => ['Authorization', value])], {});

describe('the token of a request', () => {
  it('is what stands behind Bearer, in whatever case', () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER'])
      expect(read(`${scheme} a.b-c_d~+/=`)).toBe('a.b-c_d~+/=');
    expect(readBearerToken(['AUTHORIZATION', 'Bearer t'], {})).toBe('t');
    expect(read('Bearer   t')).toBe('t');
  });

  it.each([[[]], [['']], [['Basic dTpw']], [['t']], [['BearerX t']], [['Digest x']]])(
    'is missing in %j',
    (values) => {
      expect(() => read(...values)).toThrow(
        expect.objectContaining({
          code: 'UNAUTHENTICATED',
          headers: { 'www-authenticate': 'Bearer realm="catalog"' },
        }) as Error,
      );
    },
  );

  it.each([
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Bearer a,b',
    'Bearer "a"',
    'Bearer ä',
    `Bearer ${'x'.repeat(maxTokenLength + 1)}`,
  ])('is none in %.30s', (value) => {
    expect(() => read(value)).toThrow(
      expect.objectContaining({
        code: 'UNAUTHENTICATED',
        headers: { 'www-authenticate': 'Bearer realm="catalog", error="invalid_token"' },
      }) as Error,
    );
  });

  it('is refused when there are several headers, even equal ones, or when it is in the URL', () => {
    const refusal = expect.objectContaining({
      code: 'MALFORMED_REQUEST',
      headers: { 'www-authenticate': 'Bearer realm="catalog", error="invalid_request"' },
    }) as Error;
    expect(() => read('Bearer a', 'Bearer a')).toThrow(refusal);
    expect(() => read('Bearer a', 'Basic b')).toThrow(refusal);
    expect(() => readBearerToken(['authorization', 'Bearer a', 'Authorization', 'x'], {})).toThrow(
      refusal,
    );
    expect(() => readBearerToken(['Authorization', 'Bearer a'], { access_token: 'a' })).toThrow(
      refusal,
    );
    expect(() => readBearerToken([], { access_token: '' })).toThrow(refusal);
  });
});
