import { expect, it } from 'vitest';
import { outbound } from '../test-support/outbound.ts';

const acls = (...args: string[]) =>
  outbound(['acls', ...args], { env: { OUTBOUND_TOPIC_PREFIX: 'shop.', OUTBOUND_SLOT: 'main' } });

it('names every topic with its prefix, the transactional id by the slot, and no wildcard', async () => {
  const { code, out } = await acls();
  expect(code).toBe(0);
  expect(out).toContain('--topic shop.catalog.product --topic shop.catalog.product-change');
  expect(out).toContain(
    '--resource-pattern-type prefixed --operation Write --transactional-id outbound-main-',
  );
  expect(out).not.toContain('*');
  expect(out).not.toContain('outbound-consumer');
});

it('gives a consumer what it is said to read, and nothing else', async () => {
  const { json } = await acls(
    ...['--json', '--consumer', 'User:billing', '--group', 'billing'],
    ...['--topic', 'shop.catalog.product-change', '--dead-letters', 'billing.dead-letters'],
  );
  const [rights] = json() as [
    { role: string; resource: string; names: string[]; operations: string[] }[],
  ];
  expect(
    rights
      .filter(({ role }) => role === 'consumer')
      .map(({ resource, names, operations }) => [resource, ...names, ...operations].join(' ')),
  ).toEqual([
    'topic shop.catalog.product-change Read',
    'group billing Read',
    'topic billing.dead-letters billing.dead-letters.redrive Read Write',
  ]);
});

it('keeps the shell from reading a name as anything else', async () => {
  const { out } = await acls('--relay', "User:CN=relay,O='x'; rm -rf /");
  expect(out).toContain(`--allow-principal 'User:CN=relay,O='\\''x'\\''; rm -rf /'`);
});
