import { parse } from 'lossless-json';
import { parseOrdinaryJson } from './json-fast.ts';
import { JsonNumber, type JsonObject, type JsonValue } from './json-value.ts';
import { acceptedLimits, checkJsonText, requestLimits, type JsonLimits } from './json-text.ts';
import { JsonTextError, jsonPointer, stringFault } from './json-text-error.ts';

/**
 * Reads JSON without losing anything: a number that `String(Number(text))` would not print as it stands is kept as a `JsonNumber`, so that
 * `stringifyJson(parseJson(text))` gives its digits back byte for byte. Object keys keep their order, apart from keys that look like
 * array indexes (`"7"`), which JavaScript puts first.
 * @throws JsonTextError with a code and a JSON pointer: bad syntax, a duplicate key (equal values too), a key that JavaScript treats
 * specially (`__proto__`, `constructor`, `prototype`), a lone surrogate or U+0000 in a string or key (Postgres would change or
 * refuse them), more levels or keys than `limits` allow: 32 and 1,000, if they are not given.
 */
export function parseJson(text: string, limits: JsonLimits = requestLimits): JsonValue {
  return parseOrdinaryJson(text, limits) ?? parseAnyJson(text, limits);
}

/** `parseJson` for any text, and what says why a text is refused. Several times slower than `parseOrdinaryJson`. @throws JsonTextError */
export function parseAnyJson(text: string, limits: JsonLimits): JsonValue {
  checkJsonText(text, limits);
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
 * `parseJson` for what went through the API before: the value of an event, a stored entity. A good one may be larger than any request was.
 * @throws JsonTextError as `parseJson`.
 */
export function parseAcceptedJson(text: string): JsonValue {
  return parseJson(text, acceptedLimits);
}

/**
 * Writes JSON text without white space. A `JsonNumber` is written as its text, `undefined` members are left out. What JSON cannot carry is an
 * error and never a silent null: NaN, infinities, bigint, dates, undefined in an array.
 * @throws JsonTextError with a JSON pointer.
 */
export function stringifyJson(value: unknown): string {
  const isExact = checkValue(value, undefined);
  const text = isExact ? JSON.stringify(value) : write(value as JsonValue);
  if (text === undefined)
    throw new JsonTextError('JSON_UNREPRESENTABLE', '', 'is not a JSON value');
  return text;
}

/** JSON.stringify of a value that was checked, with each `JsonNumber` as its text. */
function write(value: JsonValue): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof JsonNumber) return value.value;
  if (Array.isArray(value))
    return `[${(value as readonly JsonValue[]).map((item) => write(item)).join(',')}]`;
  const object = value as JsonObject;
  let members = '';
  for (const key of Object.keys(object)) {
    const member = object[key];
    if (member !== undefined)
      members += `${members === '' ? '{' : ','}${quoted(key)}:${write(member)}`;
  }
  return members === '' ? '{}' : `${members}}`;
}

/** What JSON.stringify does not write as it stands. Source: ECMA-262, QuoteJSONString. */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const escaped = /["\\\u0000-\u001f\ud800-\udfff]/;

function quoted(text: string): string {
  return escaped.test(text) ? JSON.stringify(text) : `"${text}"`;
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

/** Where a value stands, innermost step first: a path costs nothing until an error needs it. */
interface Place {
  readonly parent: Place | undefined;
  readonly step: string | number;
}

function pointerOf(place: Place | undefined): string {
  const steps: (string | number)[] = [];
  for (let each = place; each !== undefined; each = each.parent) steps.unshift(each.step);
  return jsonPointer(steps);
}

/** @returns true if there is no `JsonNumber` in it, so that JSON.stringify writes it as it is. @throws JsonTextError */
function checkValue(value: unknown, place: Place | undefined): boolean {
  switch (typeof value) {
    case 'string':
      checkString(value, place);
      return true;
    case 'boolean':
      return true;
    case 'number':
      if (!Number.isFinite(value)) throw refusal(place, 'is not a finite number');
      if (Object.is(value, -0))
        throw refusal(place, 'is negative zero, which JSON text would turn into zero');
      return true;
    case 'object':
      if (value === null) return true;
      if (value instanceof JsonNumber) return false;
      if (Array.isArray(value)) return checkArray(value, place);
      if (isJsonObject(value)) return checkObject(value, place);
      throw refusal(place, 'is an object of a class, which JSON cannot carry');
    default:
      throw refusal(place, `is of type ${typeof value}, which JSON cannot carry`);
  }
}

function checkArray(items: readonly unknown[], place: Place | undefined): boolean {
  let isExact = true;
  for (const [index, item] of items.entries()) {
    if (item === undefined) throw refusal(place, `has nothing at index ${index}`);
    if (!checkValue(item, { parent: place, step: index })) isExact = false;
  }
  return isExact;
}

function checkObject(object: JsonObject, place: Place | undefined): boolean {
  let isExact = true;
  for (const key of Object.keys(object)) {
    checkString(key, place);
    const member = object[key];
    if (member !== undefined && !checkValue(member, { parent: place, step: key })) isExact = false;
  }
  return isExact;
}

function checkString(text: string, place: Place | undefined): void {
  const fault = stringFault(text);
  if (fault !== undefined) throw new JsonTextError('JSON_BAD_STRING', pointerOf(place), fault);
}

function refusal(place: Place | undefined, why: string): JsonTextError {
  return new JsonTextError('JSON_UNREPRESENTABLE', pointerOf(place), why);
}
