import type { JsonObject } from '@outbound/contract';
import { CliError, exitCodes } from '../exit-codes.ts';
import { fieldText } from '../records/record-value.ts';

/** A field of the entity and the text that it has to have. */
export interface Condition {
  readonly path: string;
  readonly text: string;
}

/** Reads `field=value`; the value may have `=` in it. @throws CliError WHERE_INVALID, exit 2 */
export function parseCondition(text: string): Condition {
  const at = text.indexOf('=');
  if (at < 1)
    throw new CliError(
      'WHERE_INVALID',
      `--where ${text}: say field=value, with a dot for a field in a field (price.amount=9.90)`,
      { exitCode: exitCodes.usage },
    );
  return { path: text.slice(0, at), text: text.slice(at + 1) };
}

/** True if the entity meets all conditions. Numbers compare as they are written: 9.9 is not 9.90. */
export function meets(entity: JsonObject | undefined, conditions: readonly Condition[]): boolean {
  return conditions.every(({ path, text }) => fieldText(entity, path) === text);
}
