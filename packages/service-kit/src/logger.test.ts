import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

function capture(pretty = false) {
  const lines: string[] = [];
  const logger = createLogger({
    service: 'relay',
    level: 'info',
    pretty,
    write: (line) => void lines.push(line),
  });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> };
}

test('a line is JSON with the service, the level by name and the fields', () => {
  const { logger, last } = capture();
  logger.child({ component: 'lane' }).warn({ topic: 't', lsn: '0/1' }, 'send failed');
  expect(last()).toMatchObject({
    service: 'relay',
    level: 'warn',
    component: 'lane',
    topic: 't',
    lsn: '0/1',
    message: 'send failed',
  });
});

test('secrets and payloads are replaced at any depth, in child bindings too', () => {
  const { logger, lines } = capture();
  logger
    .child({ connection: { password: 'hunter2' }, url: 'postgres://a:hunter2@db/x' })
    .info({ record: { value: 'hunter2', key: 'k' }, list: [{ payload: 'hunter2' }] }, 'sent');
  expect(lines.join('')).not.toContain('hunter2');
  expect(lines.join('')).toContain('"key":"k"');
  expect(lines.join('')).toContain('postgres://***@db/x');
});

test('an error keeps code, message, stack and causes, and loses what may hold row values', () => {
  const { logger, lines, last } = capture();
  const database = Object.assign(new Error('duplicate key value violates "product_sku_key"'), {
    code: '23505',
    detail: 'Key (sku)=(SECRET-SKU) already exists.',
    where: 'SECRET-SKU',
  });
  const wrapped = Object.assign(
    new Error('Failed query: insert into product values ($1)\nparams: SECRET-SKU,2\nSECRET-SKU', {
      cause: database,
    }),
    { query: 'insert into product values ($1)', params: ['SECRET-SKU'] },
  );
  logger.error({ error: wrapped }, 'write failed');
  expect(lines.join('')).not.toContain('SECRET-SKU');
  expect(last()).toMatchObject({
    error: {
      message: 'Failed query: insert into product values ($1)',
      cause: { code: '23505', message: 'duplicate key value violates "product_sku_key"' },
    },
  });
  expect((last()['error'] as { stack: string }).stack).toMatch(/^ {4}at /);
});

test("what stands in quotes in Postgres' words about data is left out; names in other messages stay", () => {
  const { logger, last } = capture();
  const told = (code: string, message: string) => {
    const error = Object.assign(new Error(message), { code, severity: 'ERROR' });
    logger.error({ error }, 'query failed');
    return (last()['error'] as { message: string }).message;
  };
  expect(told('22P02', 'invalid input syntax for type uuid: "my "secret""')).toBe(
    'invalid input syntax for type uuid: "…"',
  );
  expect(told('P0001', 'bad name: "secret"')).toBe('bad name: "…"');
  expect(told('42P01', 'relation "product" does not exist')).toContain('"product"');
});

test('an error given alone, and a thrown text with credentials, are safe too', () => {
  const { logger, lines } = capture();
  logger.error(new Error('connect postgres://a:hunter2@db/x failed'));
  logger.error({ error: 'kafka://a:hunter2@broker' }, 'down');
  expect(lines.join('')).not.toContain('hunter2');
});

test('a readable line names time, level, service, message and fields', () => {
  const { logger, lines } = capture(true);
  logger.info({ slot: 'outbound' }, 'slot taken');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}relay: slot taken slot="outbound"\n$/);
});
