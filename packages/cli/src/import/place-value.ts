import { isJsonObject, type JsonValue } from '@outbound/contract';
import { RowFault } from './cell-value.ts';

/**
 * Puts a value at its path, making the objects on the way. **Order**: outer paths before inner ones.
 * @throws RowFault also if there is something already, because a value would be lost without a word.
 */
export function placeValue(
  root: Record<string, unknown>,
  path: readonly string[],
  value: JsonValue,
): void {
  const name = path.join('.');
  let at = root;
  for (const [depth, step] of path.slice(0, -1).entries()) {
    const inner = at[step];
    if (inner !== undefined && !isJsonObject(inner))
      throw new RowFault(
        `${path.slice(0, depth + 1).join('.')} is no object in this row, so ${name} has no place in it`,
      );
    // A copy: what came with a row is not ours to change.
    const next = { ...inner };
    at[step] = next;
    at = next;
  }
  const last = path.at(-1) ?? '';
  if (Object.hasOwn(at, last)) throw new RowFault(`${name} is given twice in this row`);
  at[last] = value;
}
