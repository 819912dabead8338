import { createHash } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { ApiError } from '../errors.ts';
import type { Aggregate } from './aggregate.ts';
import { notFound } from './entity-change.ts';
import { read, type CommandContext } from './unit-of-work.ts';

/** What an entity was after one change. */
export interface EntityVersion {
  readonly version: number;
  /** C, U, D; S where only a snapshot of this version is left. */
  readonly operation: string;
  /** RFC 3339, as its event says it. */
  readonly occurredAt: string;
  /** The entity as JSON, byte for byte as it was published. */
  readonly data: string;
}

/** One page of a history, the newest version first. */
export interface VersionPage {
  readonly versions: readonly EntityVersion[];
  /** Size of the data as JSON. */
  readonly bytes: number;
  /** From when on every event is kept; undefined where nobody knows. Versions from before may be missing. */
  readonly keptSince: string | undefined;
  /** Cursor of the next page, if there is more. */
  readonly next: string | undefined;
}

/**
 * The versions of an entity whose events the outbox still has (three days, unless it was told otherwise). A deleted entity has them as long as its data is kept: one that was purged or erased has none.
 * A page ends early where its bytes are used up, and has one version at the least. Read by the index over entity and version.
 * @throws ApiError NOT_FOUND, INVALID_CURSOR
 */
export async function listVersions(
  context: CommandContext,
  aggregate: Aggregate,
  asked: {
    readonly id: string;
    readonly cursor: string | undefined;
    readonly limit: number;
    readonly maxBytes: number;
  },
): Promise<VersionPage> {
  const { id, cursor, limit, maxBytes } = asked;
  const { table, eventType } = aggregate;
  const below = cursor === undefined ? null : decodeVersionCursor(cursor, id);
  const found = await read(context, aggregate, async (db) => {
    const rows = await db
      .select({
        version: sql<string>`version`,
        operation: sql<string | null>`data_op`,
        occurredAt: sql<string>`occurred_at`,
        data: sql<string | null>`data`,
        keptSince: sql<string | null>`(public.outbox_kept_since() at time zone 'UTC')::text`,
      })
      .from(
        sql`public.entity_versions(${eventType.dataType}, ${eventType.name}, ${id}::uuid, ${below}::bigint, ${limit}::integer, ${maxBytes}::bigint)`,
      );
    // Behind them: what is erased meanwhile is not shown.
    const [row] = await db.select({ purgedAt: table.purgedAt }).from(table).where(eq(table.id, id));
    return row === undefined || row.purgedAt !== null ? undefined : rows;
  });
  if (found === undefined) throw notFound(aggregate);
  const versions = found.flatMap(({ version, operation, occurredAt, data }): EntityVersion[] =>
    operation === null || data === null
      ? []
      : [{ version: Number(version), operation, occurredAt, data }],
  );
  const last = versions.at(-1);
  const keptSince = found[0]?.keptSince ?? null;
  return {
    versions,
    bytes: versions.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0),
    keptSince: keptSince === null ? undefined : `${keptSince.replace(' ', 'T')}Z`,
    next:
      last !== undefined && versions.length < found.length
        ? encodeVersionCursor(last.version, id)
        : undefined,
  };
}

/** Goes on behind this version. Opaque; it belongs to this entity's history alone. */
export function encodeVersionCursor(version: number, id: string): string {
  return Buffer.from(`v${idHash(id)}${version}`, 'latin1').toString('base64url');
}

/** @throws ApiError INVALID_CURSOR if it is forged, cut, or of another entity. */
export function decodeVersionCursor(text: string, id: string): number {
  const plain = Buffer.from(text, 'base64url').toString('latin1');
  const match = /^v([\w-]{11})([1-9]\d{0,14})$/.exec(plain);
  if (match?.[2] === undefined || match[1] !== idHash(id))
    throw new ApiError(
      'INVALID_CURSOR',
      'The cursor was not made by the versions of this resource. Follow the links of a page.',
      { violations: [{ in: 'query', pointer: '/cursor', message: 'not a cursor of this list' }] },
    );
  return Number(match[2]);
}

function idHash(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 11);
}
