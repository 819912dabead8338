import { stringifyJson } from '@outbound/contract';
import type { BulkItem, ItemOutcome } from '../catalog/bulk/bulk-item.ts';
import { entityTag } from '../catalog/entity-tag.ts';
import type { Answer } from '../catalog/idempotency.ts';
import type { ApiError } from '../errors.ts';
import { below, type BatchKind } from './batch-items.ts';
import { problemKinds, toProblem } from './problem.ts';

/** Most violations that are listed for one item: a thousand times fifty would be an answer of megabytes. */
const maxItemViolations = 10;

const statuses = { created: 201, changed: 200, deleted: 204 } as const;

/** The results of a chunk, as the inside of a JSON array: what is kept is put together again without being read. */
export function chunkAnswer(
  kind: BatchKind,
  chunk: { readonly start: number; readonly items: readonly BulkItem[] },
  outcomes: readonly ItemOutcome[],
  flowId: string,
): Answer {
  const results = outcomes.map((outcome, offset) =>
    outcomeText(
      kind,
      { field: 'index', number: chunk.start + offset, item: chunk.items[offset] },
      outcome,
      flowId,
    ),
  );
  return { status: 207, headers: {}, body: results.join(',') };
}

/** An item, and the number that names it to its caller. */
export interface NumberedItem {
  readonly field: 'index' | 'line';
  readonly number: number;
  readonly item: BulkItem | undefined;
}

/** What became of one item, as JSON. */
export function outcomeText(
  kind: BatchKind,
  { field, number, item }: NumberedItem,
  outcome: ItemOutcome,
  flowId: string,
): string {
  if ('error' in outcome) {
    // What is wrong with the item as such says where in it; of the entity's fields only they know their place.
    const isWhole = item !== undefined && 'error' in item;
    const at = isWhole ? '' : kind.fieldsAt;
    return stringifyJson({ [field]: number, ...problemOf(outcome.error, at, flowId) });
  }
  const { id, version } = outcome.entity;
  const status = statuses[outcome.did];
  return `{"${field}":${number},"status":${status},"id":"${id}"${status === 204 ? '' : `,"etag":${JSON.stringify(entityTag(version))}`}}`;
}

function problemOf(error: ApiError, at: string, flowId: string): Readonly<Record<string, unknown>> {
  const { status } = problemKinds[error.code];
  const { violations, ...problem } = toProblem(error, flowId);
  return {
    status,
    problem: {
      ...problem,
      ...(violations === undefined
        ? {}
        : { violations: below(at, violations).slice(0, maxItemViolations) }),
    },
  };
}
