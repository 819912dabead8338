import { bulkLoad, type BulkCounts } from './bulk-load.ts';
import { HonestCallers } from './honest-callers.ts';
import { Notes, type Phase, type Told } from './told.ts';

/** What the honest callers are asked: to begin, once, with their products; then which phase it is; then to stop. */
export type HonestOrder =
  | {
      readonly begin: {
        readonly port: number;
        /** One for each caller, and two for autocannon. */
        readonly tokens: readonly string[];
        readonly ratePerSecond: number;
        readonly seed: number;
        readonly products: number;
      };
    }
  | { readonly phase: Phase }
  | { readonly stop: true };

/** First the ids of the products that were made, then, after the stop, what was told. */
export type HonestNews =
  | { readonly products: readonly string[] }
  | {
      readonly told: Told;
      readonly bulk: { readonly reads: BulkCounts; readonly creates: BulkCounts };
    };

const notes = new Notes();
const stopping = new AbortController();

async function run({ begin }: Extract<HonestOrder, { begin: unknown }>): Promise<void> {
  const { port, ratePerSecond, seed, products } = begin;
  const [readsToken = '', createsToken = '', ...tokens] = begin.tokens;
  const callers = new HonestCallers({ port, tokens, seed, notes });
  const ids = await callers.prepare(products);
  if (ids.length < products)
    throw new Error(
      `${ids.length} of ${products} products were made: ${JSON.stringify(notes.writes.at(-1))}`,
    );
  process.send?.({ products: ids } satisfies HonestNews);
  const { signal } = stopping;
  const bulk = { port, ids, notes, signal };
  const [, reads, creates] = await Promise.all([
    callers.run(ratePerSecond, signal),
    bulkLoad({ ...bulk, kind: 'reads', token: readsToken, ratePerSecond: ratePerSecond * 2 }),
    bulkLoad({
      ...bulk,
      kind: 'creates',
      token: createsToken,
      ratePerSecond: Math.ceil(ratePerSecond / 3),
    }),
  ]);
  process.send?.({ told: notes.told, bulk: { reads, creates } } satisfies HonestNews);
}

process.on('message', (order: HonestOrder) => {
  if ('begin' in order)
    run(order).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  else if ('phase' in order) notes.phase = order.phase;
  else stopping.abort();
});
process.once('disconnect', () => process.exit(0));
