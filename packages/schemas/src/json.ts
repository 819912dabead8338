import { LosslessNumber, parse, stringify } from 'lossless-json';
import { checkJsonText } from './json-text.ts';
import { JsonTextError, jsonPointer, stringFault } from './json-text-error.ts';

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

/**
 * Reads JSON without losing anything: a number that `String(Number(text))` would not print as it stands is kept as a `JsonNumber`, so that
 * `stringifyJson(parseJson(text))` gives its digits back byte for byte. Object keys keep their order, apart from keys that look like
 * array indexes (`"7"`), which JavaScript puts first.
 * @throws JsonTextError with a code and a JSON pointer: bad syntax, a duplicate key (equal values too), a key that JavaScript treats
 * specially (`__proto__`, `constructor`, `prototype`), a lone surrogate or U+0000 in a string or key (Postgres would change or
 * refuse them), more than 32 levels, more than 1,000 keys.
 */
export function parseJson(text: string): JsonValue {
  checkJsonText(text);
  try {
    return parse(text, null, toNumber) as JsonValue;
  } catch (error) {
    // The library quotes the text that it stumbled over; only the position is passed on.
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw new JsonTextError(
      'JSON_SYNTAX',
      '',
      position === undefined ? 'is not JSON' : `is not JSON: see character ${position}`,
    );
  }
}

/**
 * Writes JSON text without white space. A `JsonNumber` is written as its text, `undefined` members are left out. What JSON cannot carry is an
 * error and never a silent null: NaN, infinities, bigint, dates, undefined in an array.
 * @throws JsonTextError with a JSON pointer.
 */
export function stringifyJson(value: unknown): string {
  checkValue(value, []);
  const text = stringify(value);
  if (text === undefined)
    throw new JsonTextError('JSON_UNREPRESENTABLE', '', 'is not a JSON value');
  return text;
}

/** True for an object as JSON knows it: not null, not an array, not a `JsonNumber`. */
export function isJsonObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function toNumber(text: string): number | JsonNumber {
  const number = Number(text);
  return String(number) === text ? number : new JsonNumber(text);
}

function checkValue(value: unknown, path: readonly (string | number)[]): void {
  const refuse = (why: string): never => {
    throw new JsonTextError('JSON_UNREPRESENTABLE', jsonPointer(path), why);
  };
  if (typeof value === 'string') {
    const fault = stringFault(value);
    if (fault !== undefined) throw new JsonTextError('JSON_BAD_STRING', jsonPointer(path), fault);
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse('is not a finite number');
    if (Object.is(value, -0)) refuse('is negative zero, which JSON text would turn into zero');
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => {
      if (item === undefined) refuse(`has nothing at index ${index}`);
      checkValue(item, [...path, index]);
    });
  } else if (isJsonObject(value)) {
    for (const [key, member] of Object.entries(value)) {
      const fault = stringFault(key);
      if (fault !== undefined) throw new JsonTextError('JSON_BAD_STRING', jsonPointer(path), fault);
      if (member !== undefined) checkValue(member, [...path, key]);
    }
  } else if (value !== null && typeof value !== 'boolean' && !(value instanceof JsonNumber)) {
    refuse(`is a ${typeof value}, which JSON cannot carry`);
  }
}
