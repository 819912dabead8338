import { readConfig } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { apiConfig, configPrefix } from '../config.ts';

const read = (settings: Readonly<Record<string, string>>) =>
  readConfig(configPrefix, apiConfig, {
    CATALOG_API_DATABASE_URL: 'postgres://u:p@h/d',
    ...Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [`${configPrefix}${name}`, value]),
    ),
  });
const whole = {
  AUTH_ISSUER: 'https://issuer.example.com',
  AUTH_AUDIENCE: 'catalog-api',
  AUTH_JWKS_URL: 'https://issuer.example.com/jwks.json',
};

describe('authentication', () => {
  it('is on unless it is switched off, and says what it needs', () => {
    expect(read(whole).auth).toBe('on');
    expect(() => read({})).toThrow(
      /CATALOG_API_AUTH_ISSUER: is missing[\s\S]*CATALOG_API_AUTH_AUDIENCE: is missing[\s\S]*CATALOG_API_AUTH_JWKS_URL: is missing/,
    );
  });

  it.each(['127.0.0.1', 'localhost', '::1'])('may be off on %s', (HOST) => {
    expect(read({ AUTH: 'off', HOST }).auth).toBe('off');
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'catalog.example.com'])(
    'is not off on %s, which others reach',
    (HOST) => {
      expect(() => read({ AUTH: 'off', HOST })).toThrow(
        /CATALOG_API_AUTH: "off" is wrong: nobody would be asked.*CATALOG_API_HOST=127\.0\.0\.1/,
      );
    },
  );

  it('takes asymmetric algorithms alone', () => {
    expect(read({ ...whole, AUTH_ALGORITHMS: 'ES256, EdDSA' }).authAlgorithms).toEqual([
      'ES256',
      'EdDSA',
    ]);
    for (const AUTH_ALGORITHMS of ['HS256', 'RS256,HS256', 'none', 'RS256,', 'rs256'])
      expect(() => read({ ...whole, AUTH_ALGORITHMS })).toThrow(/CATALOG_API_AUTH_ALGORITHMS/);
  });

  it('takes keys over https, or over http from this machine', () => {
    expect(read({ ...whole, AUTH_JWKS_URL: 'http://127.0.0.1:1/k' })).toBeDefined();
    expect(read({ ...whole, AUTH_JWKS_URL: 'http://[::1]:1/k' })).toBeDefined();
    for (const AUTH_JWKS_URL of [
      'http://issuer.example.com/k',
      'ftp://x/k',
      'https://u:p@x/k',
      'x',
    ])
      expect(() => read({ ...whole, AUTH_JWKS_URL })).toThrow(/CATALOG_API_AUTH_JWKS_URL/);
    expect(() => read({ ...whole, AUTH_JWKS_PATH: '/jwks.json' })).toThrow(/keep one of them/);
  });

  it('takes the development issuer only where that is said', () => {
    const development = { ...whole, AUTH_ISSUER: 'urn:outbound:development' };
    expect(() => read(development)).toThrow(/CATALOG_API_AUTH_DEVELOPMENT_ISSUER=true/);
    expect(read({ ...development, AUTH_DEVELOPMENT_ISSUER: 'true' })).toBeDefined();
  });
});
