import { send, type Reply } from './http-client.ts';
import type { TestCatalog } from './catalog-service.ts';

/** An outcome in the answer to a batch. */
export interface ItemResult {
  readonly index: number;
  readonly status: number;
  readonly id?: string;
  readonly etag?: string;
  readonly problem?: {
    readonly type: string;
    readonly detail: string;
    readonly violations?: readonly { readonly pointer: string; readonly message: string }[];
  };
}

/** What tests ask of batches, and of what became of their items. */
export function batchClient(catalogOf: () => TestCatalog) {
  const batch = (
    method: string,
    items: readonly unknown[],
    headers: Record<string, string> = {},
    path = '/products/batch',
  ): Promise<Reply> =>
    send(catalogOf().url, method, path, { body: JSON.stringify({ items }), headers });
  const resultsOf = ({ json }: Reply): readonly ItemResult[] => json['items'] as ItemResult[];
  const told = (reply: Reply): readonly string[] =>
    resultsOf(reply).map(({ status, etag, problem }) =>
      [status, etag, problem?.type.replace('/problems/', '')]
        .filter((part) => part !== undefined)
        .join(' '),
    );
  const create = async (...skus: readonly string[]): Promise<readonly string[]> =>
    resultsOf(
      await batch(
        'POST',
        skus.map((sku) => ({ sku, name: 'N' })),
      ),
    ).map(({ id }) => id ?? '');
  const read = (id: string): Promise<Reply> => send(catalogOf().url, 'GET', `/products/${id}`);
  const eventsOf = async (id: string): Promise<readonly string[]> => {
    const { rows } = await catalogOf().admin.query<{ event: string }>(
      `select data_op || version || coalesce(' ' || (payload::json->'data'->>'name'), '') as event
       from outbox where aggregateid = $1 order by version`,
      [id],
    );
    return rows.map(({ event }) => event);
  };
  return { batch, resultsOf, told, create, read, eventsOf };
}
