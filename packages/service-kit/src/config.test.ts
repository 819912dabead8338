import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { describeConfig, readConfig, redactConfig, type Environment } from './config.ts';
import { flagSetting, integerSetting, listSetting, postgresUrlSetting } from './setting.ts';

const schema = z.object({
  databaseUrl: postgresUrlSetting()
    .describe('Where Postgres is.')
    .meta({ secret: true, example: 'postgres://relay:relay@localhost:5432/catalog' }),
  port: integerSetting({ min: 1, max: 65_535 }).describe('Port.').default(9090),
  brokers: listSetting().describe('Kafka brokers.').meta({ example: 'localhost:9092' }).optional(),
  windowBytes: integerSetting()
    .describe('Bytes in flight.')
    .meta({ unit: 'bytes' })
    .default(33_554_432),
  verbose: flagSetting().describe('More logs.').default(false),
});
const url = 'postgres://relay:hunter2@localhost:5432/catalog';

const read = (env: Environment) => readConfig('RELAY_', schema, env);
const failure = (env: Environment): string => {
  try {
    read(env);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error('the settings were taken');
};

describe('readConfig', () => {
  let dir: string;
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'config-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  test('gives parsed and frozen settings, with defaults, and ignores other variables', () => {
    const config = read({ RELAY_DATABASE_URL: url, RELAY_BROKERS: 'a:1, b:2', HOME: '/' });
    expect(config).toEqual({
      databaseUrl: url,
      port: 9090,
      brokers: ['a:1', 'b:2'],
      windowBytes: 33_554_432,
      verbose: false,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('names every wrong setting at once, with what is wrong and what is right', () => {
    const message = failure({
      RELAY_PORT: '70000',
      RELAY_VERBOSE: 'yes',
      RELAY_BROKERS: 'a:1,',
      RELAY_DATABSE_URL: url,
    });
    expect(message).toBe(
      [
        '5 wrong settings:',
        '  RELAY_DATABSE_URL: is not a setting; correct the name or remove it',
        '  RELAY_DATABASE_URL: is missing; set it to: Where Postgres is. (for example postgres://relay:relay@localhost:5432/catalog)',
        '  RELAY_PORT: "70000" is wrong: expected a whole number from 1 to 65535',
        '  RELAY_BROKERS: "a:1," is wrong: expected items separated by commas, none of them empty',
        '  RELAY_VERBOSE: "yes" is wrong: expected true or false',
      ].join('\n'),
    );
  });

  test.each(['0x10', '1e3', ' 5', '5.0', '-1', 'Infinity', '10s', '99999999999999999'])(
    'refuses %j as a whole number',
    (text) => {
      expect(failure({ RELAY_DATABASE_URL: url, RELAY_PORT: text })).toContain('RELAY_PORT:');
    },
  );

  test.each([
    'mysql://a@b/c',
    'postgres://host',
    'postgres://host/',
    'not a url',
    'postgres:///db',
  ])('refuses %j as a Postgres URL, without showing it', (text) => {
    const message = failure({ RELAY_DATABASE_URL: text });
    expect(message).toContain('RELAY_DATABASE_URL: its value (secret, not shown) is wrong');
    expect(message).not.toContain(text);
  });

  test('counts an empty variable as missing', () => {
    expect(failure({ RELAY_DATABASE_URL: '' })).toContain('RELAY_DATABASE_URL: is missing');
    expect(read({ RELAY_DATABASE_URL: url, RELAY_PORT: '' }).port).toBe(9090);
  });

  test('reads a value from a file and cuts its last newline', () => {
    writeFileSync(join(dir, 'url'), `${url}\n`);
    expect(read({ RELAY_DATABASE_URL_FILE: join(dir, 'url') }).databaseUrl).toBe(url);
  });

  test('says what is wrong with a file, once and without its content', () => {
    writeFileSync(join(dir, 'empty'), '\n');
    expect(failure({ RELAY_DATABASE_URL_FILE: join(dir, 'empty') })).toMatch(
      /^1 wrong setting:\n {2}RELAY_DATABASE_URL_FILE: the file .* is empty/,
    );
    expect(failure({ RELAY_DATABASE_URL_FILE: join(dir, 'none') })).toContain('(ENOENT)');
    expect(
      failure({ RELAY_DATABASE_URL: url, RELAY_DATABASE_URL_FILE: join(dir, 'empty') }),
    ).toContain('RELAY_DATABASE_URL: is set, and so is RELAY_DATABASE_URL_FILE');
  });

  test("leaves another program's longer prefix alone", () => {
    const env = { RELAY_DATABASE_URL: url, RELAY_ADMIN_PORT: '1' };
    expect(() => read(env)).toThrow('RELAY_ADMIN_PORT');
    expect(readConfig('RELAY_', schema, env, { otherPrefixes: ['RELAY_ADMIN_'] }).port).toBe(9090);
  });

  test('knows the variables that Kubernetes injects for a service of the same name', () => {
    const message = failure({
      RELAY_DATABASE_URL: url,
      RELAY_PORT_9090_TCP: 'tcp://10.0.0.1:9090',
    });
    expect(message).toContain('enableServiceLinks: false');
  });
});

test('describeConfig gives a row for each setting', () => {
  expect(describeConfig('RELAY_', schema).slice(0, 4)).toEqual([
    {
      name: 'RELAY_DATABASE_URL',
      description: 'Where Postgres is.',
      required: true,
      secret: true,
      example: 'postgres://relay:relay@localhost:5432/catalog',
    },
    {
      name: 'RELAY_PORT',
      description: 'Port.',
      required: false,
      secret: false,
      defaultText: '9090',
    },
    {
      name: 'RELAY_BROKERS',
      description: 'Kafka brokers.',
      required: false,
      secret: false,
      example: 'localhost:9092',
    },
    {
      name: 'RELAY_WINDOW_BYTES',
      description: 'Bytes in flight.',
      required: false,
      secret: false,
      defaultText: '33554432',
      unit: 'bytes',
    },
  ]);
});

test('redactConfig hides secrets and the credentials in URLs', () => {
  const open = z.object({ databaseUrl: schema.shape.databaseUrl, proxy: z.string() });
  expect(redactConfig(open, { databaseUrl: url, proxy: 'http://me:pw@proxy:3128' })).toEqual({
    databaseUrl: '[secret]',
    proxy: 'http://***@proxy:3128',
  });
});

test.each([
  'postgres://u:secret@a:5432,b:5432/d',
  'postgres://u:secret@a,b/d',
  'postgresql://a,b/d',
  'postgres://u:secret@a/d?host=a,b',
])('a list of hosts is refused in words, without the value: %s', (url) => {
  const schema = z.object({ databaseUrl: postgresUrlSetting().meta({ secret: true }) });
  const reading = () => readConfig('X_', schema, { X_DATABASE_URL: url });
  expect(reading).toThrow('expected one host: the driver takes no list of them');
  expect(reading).not.toThrow('secret@');
});

test('a comma elsewhere is no list of hosts', () => {
  const schema = z.object({ databaseUrl: postgresUrlSetting() });
  const url = 'postgres://u:a%2Cb@h:5432/d?options=-c a=1,2';
  expect(readConfig('X_', schema, { X_DATABASE_URL: url })).toEqual({ databaseUrl: url });
});

test('a login in a list of hosts is not shown, though it belongs into no list', () => {
  const reading = () =>
    readConfig('X_', z.object({ hosts: z.string().regex(/^[a-z:0-9]+$/) }), {
      X_HOSTS: 'a:1,u:hunter2@b:2',
    });
  expect(reading).toThrow('***@b:2');
  expect(reading).not.toThrow('hunter2');
});
