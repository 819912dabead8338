import type { CheckResult } from '@outbound/service-kit';

/** The newest migration that this code needs; a database that has had later ones is right too. */
export const neededMigration = '0028_erased_versions.sql';

/** What the API does with its tables, as far as a privilege is needed for it. */
export const neededPrivileges: readonly (readonly [table: string, privilege: string])[] = [
  ...['product', 'category', 'idempotency_key'].flatMap((table) =>
    ['SELECT', 'INSERT', 'UPDATE'].map((privilege) => [table, privilege] as const),
  ),
  ['idempotency_key', 'DELETE'],
  ...['product_search', 'search_progress'].flatMap((table) =>
    ['SELECT', 'INSERT', 'UPDATE', 'DELETE'].map((privilege) => [table, privilege] as const),
  ),
  ['outbox', 'INSERT'],
];

/** What a database says of itself to the role that asks. */
export interface DatabaseFacts {
  readonly role: string;
  readonly isStandby: boolean;
  /** New transactions may not write. */
  readonly isReadOnly: boolean;
  /** `INSERT on outbox`: what the role may not do, or what is not there to do it with. */
  readonly lacking: readonly string[];
  /** The newest migration; null before the first, undefined if the role may not look. */
  readonly newestMigration: string | null | undefined;
}

/** Whether this service can do its work on that database: answer reads and commit changes. */
export function judgeDatabase(facts: DatabaseFacts, needed = neededMigration): CheckResult {
  const refuse = (detail: string): CheckResult => ({ ok: false, detail });
  if (facts.newestMigration === null)
    return refuse('the database is not migrated: run migrate on it');
  if (facts.newestMigration === undefined)
    return refuse(
      `${facts.role} may not read schema_migration, so the schema is not known: run migrate`,
    );
  if (facts.newestMigration < needed)
    return refuse(
      `the newest migration is ${facts.newestMigration}, and this version needs ${needed}: run migrate`,
    );
  if (facts.lacking.length > 0)
    return refuse(
      `${facts.role} lacks ${facts.lacking.join(', ')}: connect as outbound_api, or run migrate, which grants it`,
    );
  if (facts.isStandby)
    return refuse(
      'the server is a standby and takes no writes: promote it, or connect to the primary',
    );
  if (facts.isReadOnly)
    return refuse(
      'transactions are read-only here (default_transaction_read_only): see who set it, often a full disk',
    );
  return { ok: true };
}

/** What the database was found to be, and when it was asked, in ms of a clock that is never set back. */
export interface Verdict {
  readonly verdict: CheckResult;
  readonly askedAtMs: number;
}

/** How long what was well is believed while the next answer is late. */
export const believedMs = 5_000;

/**
 * What readiness says while an answer is late: that all is well, if it was at most `believedMs` ago. On a machine that is busy every answer is late, on every instance at once; if late meant red, there would be
 * none that a balancer could send to, of a service that works. Undefined if nothing is known (I11): never asked, too long ago, or not well at the time.
 */
export function believed(last: Verdict | undefined, nowMs: number): CheckResult | undefined {
  if (last === undefined || !last.verdict.ok) return undefined;
  const ageMs = Math.round(nowMs - last.askedAtMs);
  if (ageMs > believedMs) return undefined;
  return {
    ok: true,
    detail: `the answer is late; ${ageMs} ms ago all was well`,
  };
}
