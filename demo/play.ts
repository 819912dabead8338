import { CatalogError, type CatalogClient } from './catalog-client.ts';
import { currentEtag, type HotProduct } from './crackers.ts';

/** What became of the observations. */
export interface PlayTally {
  /** Prices that differed from the row: each a version and an event. */
  writtenCount: number;
  /** Prices that the row had already: no version, no event. */
  unchangedCount: number;
  /** 412 answers: another player was faster, and the price was sent again. */
  conflictCount: number;
}

/**
 * Plays price histories through PATCH with If-Match. Every product has `playersPerProduct` players that take its next observation as soon as
 * they are free, each with what it believes to be the current ETag, so that they really get into each other's way: a player
 * that is late is answered 412, reads the row, and tries again.
 * @param tally counted up while it plays, so that it can be shown.
 * @throws CatalogError for an answer that is neither 200 nor 412; the other players stop too.
 */
export async function playPrices(
  client: CatalogClient,
  {
    products,
    playersPerProduct,
    tally,
    onObservation,
  }: {
    readonly products: readonly HotProduct[];
    readonly playersPerProduct: number;
    readonly tally: PlayTally;
    readonly onObservation: () => void;
  },
): Promise<void> {
  let failed = false;
  const players = products.flatMap(({ id, amounts }) => {
    // One iterator for all players of a product: each observation is taken once, in order.
    const observations = amounts.values();
    return Array.from({ length: playersPerProduct }, async () => {
      try {
        let etag = await currentEtag(client, id);
        for (const amount of observations) {
          etag = await setPrice(client, { id, amount, etag, tally });
          onObservation();
          if (failed) return;
        }
      } catch (error) {
        failed = true;
        throw error;
      }
    });
  });
  const ends = await Promise.allSettled(players);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** Sets the price, however often others come first. @returns the ETag of the row as this player left it. */
async function setPrice(
  client: CatalogClient,
  {
    id,
    amount,
    etag: believed,
    tally,
  }: { id: string; amount: string; etag: string; tally: PlayTally },
): Promise<string> {
  for (let etag = believed; ; etag = await currentEtag(client, id)) {
    const answer = await client.send('PATCH', `/products/${id}`, {
      headers: { 'if-match': etag },
      body: `{"price":{"amount":${amount},"currency":"USD"}}`,
    });
    if (answer.status === 412) {
      tally.conflictCount++;
      continue;
    }
    if (answer.status !== 200 || answer.etag === undefined)
      throw new CatalogError(
        `PATCH /products/${id} was answered ${answer.status} ${answer.body.slice(0, 300)}`,
      );
    if (answer.etag === etag) tally.unchangedCount++;
    else tally.writtenCount++;
    return answer.etag;
  }
}
