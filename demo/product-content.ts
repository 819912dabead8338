import { createHash } from 'node:crypto';
import { parse, stringify } from 'lossless-json';

/** The product's columns as the proof reads them: text, so that nothing is rounded on the way. */
export interface ProductRow {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly description: string | null;
  readonly brand: string | null;
  readonly category: string | null;
  readonly price_amount: string | null;
  readonly price_currency: string | null;
  readonly attributes: string;
  readonly status: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly created_ms: string;
  readonly updated_ms: string;
  readonly is_deleted: boolean;
}

/** Reads `ProductRow`s, soft-deleted ones included, in pages of `$2` rows after the id `$1`. */
export const productRows = `select id::text, sku, name, description, brand, category, price_amount::text, price_currency, attributes::text,
  status, version::text, round(extract(epoch from created_at) * 1000)::text as created_ms,
  round(extract(epoch from updated_at) * 1000)::text as updated_ms, deleted_at is not null as is_deleted
  from product where id > $1::uuid order by id limit $2`;

/**
 * Hash of a product's content as the table has it. Written apart from the API's own mapping on purpose: a proof that shared
 * that code would share its mistakes.
 */
export function hashOfRow(row: ProductRow): string {
  return hash([
    row.id,
    row.sku,
    row.name,
    row.description,
    row.brand,
    row.category,
    row.price_amount === null ? null : decimal(row.price_amount),
    row.price_currency,
    stringify(parse(row.attributes)),
    row.status,
    row.version,
    row.created_ms,
    row.updated_ms,
  ]);
}

/** What the proof keeps of a product-change value: the entity's version, and the same hash. @throws SyntaxError for what is not JSON. */
export function contentOfValue(value: Buffer): { version: number; dataHash: string } {
  const { data } = parse(value.toString()) as { data: Readonly<Record<string, unknown>> };
  const text = (field: unknown): string | null => {
    if (field === undefined || field === null) return null;
    return typeof field === 'string' ? field : (stringify(field) ?? null);
  };
  const price = data['price'] as { amount: unknown; currency: unknown } | undefined | null;
  const amount = text(price?.amount);
  const milliseconds = (field: unknown) => String(Date.parse(text(field) ?? ''));
  return {
    version: Number(text(data['version'])),
    dataHash: hash([
      text(data['id']),
      text(data['sku']),
      text(data['name']),
      text(data['description']),
      text(data['brand']),
      text(data['category']),
      amount === null ? null : decimal(amount),
      text(price?.currency),
      stringify(data['attributes'] ?? {}) ?? null,
      text(data['status']),
      text(data['version']),
      milliseconds(data['created_at']),
      milliseconds(data['updated_at']),
    ]),
  };
}

/** `1.5000` and `1.5` are one amount. */
function decimal(text: string): string {
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}

function hash(parts: readonly (string | null | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}
