import { customType } from 'drizzle-orm/pg-core';
import {
  isJsonObject,
  parseAcceptedJson,
  stringifyJson,
  type JsonObject,
} from '@outbound/contract';

/**
 * A Postgres `json` column (its text is stored verbatim; `jsonb` would rewrite numbers and order) that holds an object.
 * pg parses `json` with JSON.parse by default, which loses digits: reading through such a connection throws instead.
 * `createDatabase` of `@outbound/outbox` sets the connection up.
 */
export const jsonObjectColumn = customType<{ data: JsonObject; driverData: unknown }>({
  dataType: () => 'json',
  toDriver: (value) => stringifyJson(value),
  fromDriver: (value) => {
    if (typeof value !== 'string')
      throw new TypeError(
        'a json column came parsed, so digits may be lost: open the database with createDatabase of @outbound/outbox',
      );
    const object = parseAcceptedJson(value);
    if (!isJsonObject(object)) throw new TypeError('a json column holds no object');
    return object;
  },
});

/** A Postgres `json` column whose text is passed through as it is. */
export const jsonTextColumn = customType<{ data: string; driverData: string }>({
  dataType: () => 'json',
});
