import type { OutboxRowText } from '@outbound/contract';
import pg from 'pg';
import type { RedrivePlan } from './letter-plan.ts';
import { rowsAtOnce, writeOutboxRows } from './write-rows.ts';

/** A letter that the database does not take, so that it and those behind it stay where they are. */
export interface RefusedLetter {
  readonly plan: RedrivePlan;
  readonly row: OutboxRowText;
  /** In the words of the database. */
  readonly reason: string;
}

/**
 * Writes the letters of each plan into the outbox, in order, in transactions of bounded size. A row that the database
 * refuses for what is in it ends its key's letters there, and no other key's. Gives how many rows were written, of
 * which plans, and what was refused.
 * @throws what the database throws for any other reason; what was written before stays.
 */
export async function writeRedrives(
  db: Pick<pg.Pool, 'query'>,
  plans: readonly RedrivePlan[],
  {
    signal,
    onWritten,
  }: { readonly signal: AbortSignal; readonly onWritten: (written: number) => Promise<void> },
): Promise<{
  readonly written: number;
  /** How many rows of each plan, from its first one on; plans without any are left out. */
  readonly ofPlans: ReadonlyMap<RedrivePlan, number>;
  readonly refused: readonly RefusedLetter[];
}> {
  let written = 0;
  const ofPlans = new Map<RedrivePlan, number>();
  const refused: RefusedLetter[] = [];
  const isRefused = async (
    plan: RedrivePlan,
    rows: readonly OutboxRowText[],
  ): Promise<string | undefined> => {
    const reason = await refusalOf(db, rows);
    if (reason !== undefined) return reason;
    written += rows.length;
    ofPlans.set(plan, (ofPlans.get(plan) ?? 0) + rows.length);
    await onWritten(written);
    return undefined;
  };
  for (const plan of plans) {
    const { rows } = plan;
    for (let at = 0; at < rows.length && !signal.aborted; at += rowsAtOnce) {
      const chunk = rows.slice(at, at + rowsAtOnce);
      if ((await isRefused(plan, chunk)) === undefined) continue;
      // Of several, those before the one at fault can go.
      for (const row of chunk) {
        const reason = await isRefused(plan, [row]);
        if (reason === undefined) continue;
        refused.push({ plan, row, reason });
        break;
      }
      break;
    }
  }
  return { written, ofPlans, refused };
}

/** Writes the rows; gives why the database refuses them for what is in them, which it would do again. */
async function refusalOf(
  db: Pick<pg.Pool, 'query'>,
  rows: readonly OutboxRowText[],
): Promise<string | undefined> {
  try {
    await writeOutboxRows(db, rows);
    return undefined;
  } catch (thrown) {
    // SQLSTATE classes 22 (data exception) and 23 (a constraint).
    if (thrown instanceof pg.DatabaseError && /^2[23]/.test(thrown.code ?? ''))
      return thrown.message;
    throw thrown;
  }
}
