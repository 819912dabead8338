import { JsonTextError, jsonPointer, stringFault } from './json-text-error.ts';

/** Nesting that we take; what recurses over a value is safe within it. */
export const maxJsonDepth = 32;
/** Keys of all objects in one text together. */
export const maxJsonKeys = 1_000;

/** How large a structure is taken. */
export interface JsonLimits {
  readonly depth: number;
  /** Keys of all objects in one text together. */
  readonly keys: number;
}

/** For texts that a caller sends. */
export const requestLimits: JsonLimits = { depth: maxJsonDepth, keys: maxJsonKeys };

/**
 * For texts that passed through the API before: an event is a few keys and levels larger than the request that made it, and patch by patch an entity may
 * grow beyond the keys of any one of them. Their size is bounded elsewhere (`maxEventBytes`).
 */
export const acceptedLimits: JsonLimits = { depth: maxJsonDepth + 8, keys: Infinity };

const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

interface Container {
  /** Names seen so far; undefined for an array. */
  readonly keys: Set<string> | undefined;
  /** The step of the JSON pointer that leads to what comes next. */
  step: string | number;
  /** The next string is a key. */
  expectsKey: boolean;
}

/**
 * Refuses what a parser would accept and we do not, in one pass without recursion and before any object is built, so that neither depth nor a
 * million keys cost anything. lossless-json accepts a duplicate key with an equal value and recurses without a limit. Broken syntax is left
 * to the parser that runs afterwards.
 * @throws JsonTextError
 */
export function checkJsonText(text: string, limits: JsonLimits): void {
  const stack: Container[] = [];
  const path = (): (string | number)[] => stack.map((container) => container.step);
  const refuse = (code: JsonTextError['code'], at: (string | number)[], why: string): never => {
    throw new JsonTextError(code, jsonPointer(at), why);
  };
  let keyCount = 0;
  for (let at = 0; at < text.length; at++) {
    const top = stack.at(-1);
    switch (text[at]) {
      case '{':
      case '[': {
        const isObject = text[at] === '{';
        stack.push({
          keys: isObject ? new Set() : undefined,
          step: isObject ? '' : 0,
          expectsKey: isObject,
        });
        if (stack.length > limits.depth)
          refuse(
            'JSON_TOO_DEEP',
            path().slice(0, -1),
            `is nested deeper than ${limits.depth} levels`,
          );
        break;
      }
      case '}':
      case ']':
        stack.pop();
        break;
      case ',':
        if (top?.keys) top.expectsKey = true;
        else if (top) top.step = Number(top.step) + 1;
        break;
      case '"': {
        const end = endOfString(text, at);
        const string = decodeString(text.slice(at, end));
        // Not a string after all: the parser says so better.
        if (string === undefined) return;
        at = end - 1;
        if (top?.keys && top.expectsKey) {
          top.expectsKey = false;
          const parent = path().slice(0, -1);
          const fault = stringFault(string);
          if (fault !== undefined) refuse('JSON_BAD_STRING', parent, `has a key that ${fault}`);
          top.step = string;
          if (forbiddenKeys.has(string))
            refuse('JSON_FORBIDDEN_KEY', path(), 'is a key that is not accepted');
          if (top.keys.has(string)) refuse('JSON_DUPLICATE_KEY', path(), 'is there twice');
          top.keys.add(string);
          if (++keyCount > limits.keys)
            refuse('JSON_TOO_MANY_KEYS', parent, `goes beyond ${limits.keys} keys in all`);
        } else {
          const fault = stringFault(string);
          if (fault !== undefined) refuse('JSON_BAD_STRING', path(), fault);
        }
        break;
      }
      default:
    }
  }
}

/** Index after the closing quote of the string that opens at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function decodeString(literal: string): string | undefined {
  if (!literal.includes('\\') && literal.endsWith('"') && literal.length > 1)
    return literal.slice(1, -1);
  try {
    const value: unknown = JSON.parse(literal);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
