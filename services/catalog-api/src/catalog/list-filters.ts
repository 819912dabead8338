/** What of a list is wanted, checked and in one form, so that the same question has the same cursors. */
export interface ListFilters {
  /** Of each filter the values of which an entity has one; sorted, none twice. */
  readonly equals: Readonly<Record<string, readonly string[]>>;
  /** Changed later than this, to the millisecond. */
  readonly updatedAfter?: Date;
  readonly money?: {
    /** Decimal text; both are within. */
    readonly min?: string;
    readonly max?: string;
    readonly currency: string;
  };
  /** Each of them has to hold. */
  readonly attributes: readonly { readonly key: string; readonly value: string }[];
  /** Each of its words has to be there. */
  readonly text?: string;
}

/** What pages are ordered by, before the id. */
export type OrderName = 'id' | 'updated_at' | 'money';
export interface SortOrder {
  readonly by: OrderName;
  readonly descending: boolean;
}

/** The order that costs least, if none is asked for: that of the range that is asked for. */
export function defaultOrder({ updatedAfter, money }: ListFilters): SortOrder {
  const hasRange = money !== undefined && (money.min ?? money.max) !== undefined;
  const by = updatedAfter !== undefined ? 'updated_at' : hasRange ? 'money' : 'id';
  return { by, descending: false };
}

/** The filters as texts, in which every difference is one: what cursors are bound to. */
export function filterTexts(
  { equals, updatedAfter, money, attributes, text }: ListFilters,
  { by, descending }: SortOrder,
): Record<string, string | readonly string[]> {
  return {
    ...Object.fromEntries(Object.entries(equals).map(([name, values]) => [`=${name}`, values])),
    ...(updatedAfter === undefined ? {} : { updatedAfter: updatedAfter.toISOString() }),
    ...(money === undefined ? {} : { money: [money.min ?? '', money.max ?? '', money.currency] }),
    ...(attributes.length === 0
      ? {}
      : { attributes: attributes.map(({ key, value }) => JSON.stringify([key, value])).sort() }),
    ...(text === undefined ? {} : { text }),
    ...(by === 'id' && !descending ? {} : { order: [by, String(descending)] }),
  };
}
