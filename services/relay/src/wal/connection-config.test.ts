import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import {
  assertSlotName,
  clientConfig,
  quoteIdentifier,
  quoteLiteral,
} from './connection-config.ts';

describe('the connection', () => {
  it('prints times as ISO in UTC, whatever the URL asks for, and keeps the rest of its options', () => {
    const { connectionString, ssl } = clientConfig({
      databaseUrl:
        'postgres://u:p%40ss@h:1/db?options=-c%20TimeZone%3DAsia/Tokyo%20-c%20geqo%3Doff&sslmode=verify-full',
    });
    const url = new URL(connectionString ?? '');
    const options = url.searchParams.get('options') ?? '';
    expect(options).toMatch(/^-c TimeZone=Asia\/Tokyo -c geqo=off .*-c TimeZone=UTC/);
    expect(options).toContain('-c DateStyle=ISO');
    expect(options).toContain('-c row_security=off');
    expect(ssl).toMatchObject({ rejectUnauthorized: true });
    expect(url.password).toBe('p%40ss');
  });

  it('has TCP keepalive and a time limit for connecting', () => {
    const config = clientConfig({ databaseUrl: 'postgres://h/db', connectTimeoutMs: 77 });
    expect(config).toMatchObject({ keepAlive: true, connectionTimeoutMillis: 77 });
  });

  it.each(['', 'h:5432', 'mysql://u:secret@h/db', 'postgres//u:secret@h/db'])(
    'refuses the URL "%s" without repeating it',
    (databaseUrl) => {
      let error: unknown;
      try {
        clientConfig({ databaseUrl });
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(RelayError);
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(String(error)).not.toContain('secret');
    },
  );

  // Trap 2.15.
  it('quotes what it puts into a command', () => {
    expect(quoteIdentifier('My"Pub')).toBe('"My""Pub"');
    expect(quoteLiteral(`it's "x"`)).toBe(`'it''s "x"'`);
    for (const name of ['', 'a\0b', 'x'.repeat(64), 'ä'.repeat(32)])
      expect(() => quoteIdentifier(name)).toThrow(RelayError);
  });

  it.each(['', 'Capital', 'with-dash', 'a b', "a'; drop table x", 'x'.repeat(64), 'ä'])(
    'refuses the slot name "%s"',
    (slot) => {
      expect(() => assertSlotName(slot)).toThrow(/1 to 63 of a-z, 0-9 and _/);
    },
  );
});
