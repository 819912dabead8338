import { amountFromText, entityId } from '@outbound/schemas';
import { z } from 'zod';
import type { Aggregate, Filter } from '../catalog/aggregate.ts';
import { defaultOrder, type ListFilters, type SortOrder } from '../catalog/list-filters.ts';
import { fieldsParameter } from './fields.ts';
import { limitQuery } from './request-schemas.ts';

/** Most values of one filter, and most attributes: each is a walk of an index of its own, or a list of the search's. */
export const maxValues = 20;
export const maxAttributes = 5;
const maxTextLength = 100;

/** What is to be read of a list, as the query says it. */
export interface ListQuery {
  readonly cursor: string | undefined;
  readonly limit: number;
  readonly fields: readonly string[] | undefined;
  readonly filters: ListFilters;
  readonly sort: SortOrder;
  /** The parameters in the order of their declaration, but for limit and cursor: what links carry. */
  readonly parameters: readonly [name: string, value: string][];
}

/** Names of the parameters that an amount is filtered by. */
function moneyNames(name: string) {
  return { min: `${name}_min`, max: `${name}_max`, currency: `${name}_currency` };
}

/** The parameters of the filters. Several values are several parameters (Zalando rule 154: style form, exploded). */
function filterParameters({ filters, money, search }: Aggregate) {
  const names = money && moneyNames(money.name);
  return {
    ...Object.fromEntries(
      Object.entries(filters).map(([name, filter]) => [name, valuesParameter(name, filter)]),
    ),
    updated_after: momentParameter.optional(),
    ...(names === undefined
      ? {}
      : {
          [names.min]: amountParameter.optional().describe('Not less than this; exact.'),
          [names.max]: amountParameter.optional().describe('Not more than this; exact.'),
          [names.currency]: currencyParameter
            .optional()
            .describe('Only amounts in this currency; needed with the other two, and to sort.'),
        }),
    ...(search === undefined
      ? {}
      : { attribute: attributeParameter.optional(), q: textParameter.optional() }),
  };
}

/** Whether a range or an order of amounts is asked for without saying of which currency: where that is missing, and what is wrong. */
function missingCurrency(
  { money }: Aggregate,
  query: Readonly<Record<string, unknown>>,
): { readonly name: string; readonly message: string } | undefined {
  if (money === undefined) return undefined;
  const names = moneyNames(money.name);
  if (query[names.currency] !== undefined) return undefined;
  const needs = [names.min, names.max].some((name) => name in query);
  if (!needs && !String(query['sort']).endsWith(money.name)) return undefined;
  return {
    name: names.currency,
    message: `is needed with ${names.min}, ${names.max} and sort=${money.name}: amounts of different currencies have no order`,
  };
}

/** Query of a list: its filters, an order, the fields that are wanted, a cursor, a limit, and nothing else. */
export function listQuery(aggregate: Aggregate) {
  return z
    .strictObject({
      ...limitQuery,
      ...filterParameters(aggregate),
      sort: z
        .enum(sortsOf(aggregate))
        .optional()
        .describe(
          'Order (rule 137); - for descending. If it is not said: by what a range is asked of, else by id.',
        ),
      fields: fieldsParameter(aggregate.entity).optional(),
    })
    .superRefine((query, context) => {
      const missing = missingCurrency(aggregate, query);
      if (missing !== undefined)
        context.addIssue({ code: 'custom', path: [missing.name], message: missing.message });
    });
}

/** Query of an export: the filters of the list, fields with the id among them, and where it goes on. */
export function exportQuery(aggregate: Aggregate) {
  return z
    .strictObject({
      after: entityId
        .optional()
        .describe(
          'Goes on behind this id, with the state of now: the last that came before a break.',
        ),
      ...filterParameters(aggregate),
      updated_after: momentParameter.optional().describe('Only those changed later than this.'),
      ...(aggregate.search === undefined
        ? {}
        : {
            q: textParameter
              .optional()
              .describe(
                'Only those whose name or description has each of these words, whole and in any case, at the moment of the export.',
              ),
          }),
      fields: fieldsParameter(aggregate.entity).optional(),
    })
    .superRefine((query, context) => {
      const missing = missingCurrency(aggregate, query);
      if (missing !== undefined)
        context.addIssue({ code: 'custom', path: [missing.name], message: missing.message });
      if (query.fields?.includes('id') === false)
        context.addIssue({
          code: 'custom',
          path: ['fields'],
          message: 'must leave id: an export that breaks off goes on behind the last one',
        });
    });
}

function sortsOf({ money }: Aggregate): readonly string[] {
  return ['id', 'updated_at', ...(money === undefined ? [] : [money.name])].flatMap((name) => [
    name,
    `-${name}`,
  ]);
}

/** The filters that a checked query has. */
export function readFilters(
  aggregate: Aggregate,
  query: Readonly<Record<string, unknown>>,
): ListFilters {
  const { money } = aggregate;
  const text = (name: string): string | undefined =>
    typeof query[name] === 'string' ? query[name] : undefined;
  const equals = Object.fromEntries(
    Object.keys(aggregate.filters).flatMap((name) => {
      const values = query[name] as readonly string[] | undefined;
      return values === undefined ? [] : [[name, values]];
    }),
  );
  const names = money && moneyNames(money.name);
  const moneyCurrency = names && text(names.currency);
  const [min, max] = [names && text(names.min), names && text(names.max)];
  const updatedAfter = query['updated_after'] as Date | undefined;
  const words = text('q');
  return {
    equals,
    attributes: (query['attribute'] as ListFilters['attributes'] | undefined) ?? [],
    ...(updatedAfter === undefined ? {} : { updatedAfter }),
    ...(moneyCurrency === undefined
      ? {}
      : {
          money: {
            currency: moneyCurrency,
            ...(min === undefined ? {} : { min }),
            ...(max === undefined ? {} : { max }),
          },
        }),
    ...(words === undefined ? {} : { text: words }),
  };
}

/** What a checked query asks for. */
export function readListQuery(
  aggregate: Aggregate,
  query: Readonly<Record<string, unknown>>,
): ListQuery {
  const text = (name: string): string | undefined =>
    typeof query[name] === 'string' ? query[name] : undefined;
  const filters = readFilters(aggregate, query);
  return {
    cursor: text('cursor'),
    limit: Number(query['limit']),
    fields: query['fields'] as readonly string[] | undefined,
    filters,
    sort: readSort(text('sort'), aggregate.money?.name) ?? defaultOrder(filters),
    parameters: parametersOf(query),
  };
}

function readSort(sort: string | undefined, moneyName: string | undefined): SortOrder | undefined {
  if (sort === undefined) return undefined;
  const name = sort.replace('-', '');
  const by = name === moneyName ? 'money' : name === 'updated_at' ? 'updated_at' : 'id';
  return { by, descending: sort.startsWith('-') };
}

/** The parameters of a checked query as they can be sent again, but for where a page or a stream begins. */
export function parametersOf(query: Readonly<Record<string, unknown>>): ListQuery['parameters'] {
  return Object.entries(query).flatMap(([name, value]): [string, string][] => {
    if (['limit', 'cursor', 'after'].includes(name) || value === undefined) return [];
    if (name === 'fields') return [[name, `(${(value as readonly string[]).join(',')})`]];
    if (name === 'attribute')
      return (value as ListFilters['attributes']).map((each) => [
        name,
        `${each.key}:${each.value}`,
      ]);
    if (value instanceof Date) return [[name, value.toISOString()]];
    const values = Array.isArray(value) ? (value as readonly string[]) : [value as string];
    return values.map((each) => [name, each]);
  });
}

/** One text, or as many as there are parameters of that name. */
const texts = z.preprocess(
  (sent) => (typeof sent === 'string' ? [sent] : sent),
  z.array(z.string()),
);

function valuesParameter(name: string, { schema, hasCommas = false }: Filter) {
  return texts
    .transform((sent) => (hasCommas ? sent : sent.flatMap((each) => each.split(','))))
    .superRefine((values, context) => {
      if (values.length > maxValues)
        context.addIssue({
          code: 'custom',
          message: `has ${values.length} values: at most ${maxValues}`,
        });
      for (const value of values.slice(0, maxValues)) {
        const issue = schema.safeParse(value).error?.issues[0];
        if (issue !== undefined) context.addIssue({ code: 'custom', message: issue.message });
      }
    })
    .transform((values) => [...new Set(values)].sort())
    .optional()
    .describe(
      `Only those with this ${name}, or one of these: as several parameters${hasCommas ? '; a comma is part of a value' : ', or joined by commas'}.`,
    )
    .meta({ type: 'array', items: z.toJSONSchema(schema), minItems: 1, maxItems: maxValues });
}

const momentParameter = z.iso
  .datetime({
    offset: true,
    error: 'must be a time like 2026-01-31T12:00:00.000Z (RFC 3339); a + in it is sent as %2B',
  })
  .transform((text) => new Date(text))
  .refine(
    (moment) => moment.getTime() >= 0 && moment.getUTCFullYear() < 5_000,
    'must be a time from 1970 to 4999',
  )
  .describe(
    'Only those changed later than this, in the order of their last change. The last page has a link `changes` for what comes later.',
  )
  .meta({ type: 'string', format: 'date-time', example: '2026-01-31T12:00:00.000Z' });

// Also one that is in use no more: amounts in it may be there.
const currencyParameter = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be three capital letters')
  .meta({ format: 'iso-4217', example: 'EUR' });

const amountParameter = z
  .string()
  .refine(isAmount, 'must be a decimal of at most 11 digits before the point and 4 after')
  .meta({ type: 'string', pattern: '^(0|[1-9][0-9]{0,10})(\\.[0-9]{1,4})?$', example: '19.99' });

function isAmount(text: string): boolean {
  try {
    amountFromText(text);
    return true;
  } catch {
    return false;
  }
}

const attributeParameter = texts
  .transform((sent, context): { readonly key: string; readonly value: string }[] => {
    if (sent.length > maxAttributes)
      context.addIssue({
        code: 'custom',
        message: `is there ${sent.length} times: at most ${maxAttributes}`,
      });
    return sent.map((each) => {
      const colon = each.indexOf(':');
      const [key, value] = [each.slice(0, colon), each.slice(colon + 1)];
      const isMember =
        colon > 0 && [...key].length <= 64 && [...value].length <= 100 && !each.includes('\0');
      if (!isMember)
        context.addIssue({
          code: 'custom',
          message:
            'must be a key of at most 64 characters, a colon, and a value of at most 100: color:red',
        });
      return { key, value };
    });
  })
  .describe(
    'Only those with this attribute, as key:value; of several, all. A number or boolean is compared as it is written.',
  )
  .meta({
    type: 'array',
    items: { type: 'string' },
    minItems: 1,
    maxItems: maxAttributes,
    example: ['color:red'],
  });

const textParameter = z
  .string()
  .refine(
    (text) =>
      [...text].length >= 2 &&
      [...text].length <= maxTextLength &&
      /[\p{L}\p{N}]/u.test(text) &&
      !text.includes('\0'),
    `must have 2 to ${maxTextLength} characters, with a letter or a digit`,
  )
  .describe(
    'Only those whose name or description has each of these words, whole and in any case. Up to date but for the last second or two.',
  )
  .meta({ type: 'string', minLength: 2, maxLength: maxTextLength, example: 'leather boots' });
