import { LosslessNumber } from 'lossless-json';

/**
 * A JSON number whose text JavaScript would not print the same (`1.50`, `12345678901234567890`, `1e2`), kept as that text in `value`.
 * Do not compute with it; write it back with `stringifyJson`.
 */
export const JsonNumber = LosslessNumber;
export type JsonNumber = LosslessNumber;

/** A JSON value as `parseJson` gives it: nothing in it has lost a digit. */
export type JsonValue =
  null | boolean | number | string | JsonNumber | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}
