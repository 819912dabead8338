import { isJsonObject, stringifyJson, type JsonObject } from '@outbound/contract';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { ImportRow } from './import-row.ts';
import { ndjsonRows } from './ndjson-rows.ts';

/** What the service decides, and says of each entity beside what its callers gave. */
const decided: ReadonlySet<string> = new Set(['id', 'version', 'created_at', 'updated_at']);

/**
 * Rows of an export (`outbound export`): each entity is created under the id that it has, and never put in the place of one that is there; what else the service decides is
 * left out. The first line and the last one are no rows.
 * @param options.isDry only what callers give, as a dry run judges it.
 * @throws CliError IMPORT_EXPORT_CUT at the end of a file that is not whole, IMPORT_EXPORT_PART for one that has only some of the fields
 */
export async function* exportedRows(
  text: AsyncIterable<string>,
  { isDry }: { readonly isDry: boolean },
): AsyncGenerator<ImportRow> {
  let count = 0;
  let ended: number | undefined;
  const rows = ndjsonRows(text, (object) => {
    if ('id' in object) {
      count += 1;
      return asItem(object, isDry);
    }
    const { export: head, end } = object;
    if (isJsonObject(head)) assertAllFields(head);
    if (isJsonObject(end)) ended = Number(end['count']);
    return head === undefined && end === undefined ? stringifyJson(object) : undefined;
  });
  yield* rows;
  if (ended !== count)
    throw new CliError(
      'IMPORT_EXPORT_CUT',
      `the file is no whole export: ${
        ended === undefined ? 'its last line is missing' : `its last line counts ${ended}`
      }, and ${count} entities are there: export again, and import that`,
      { exitCode: exitCodes.failed },
    );
}

function asItem(entity: JsonObject, isDry: boolean): string {
  const data = Object.fromEntries(Object.entries(entity).filter(([name]) => !decided.has(name)));
  return stringifyJson(isDry ? data : { id: entity['id'], if_none_match: '*', data });
}

/** Entities without some of their fields would be made as others. */
function assertAllFields({ query }: JsonObject): void {
  if (typeof query === 'string' && new URLSearchParams(query).has('fields'))
    throw new CliError(
      'IMPORT_EXPORT_PART',
      'the export has only some of the fields, and entities without the others are not those that it was made of: ' +
        'export without fields, or import it without --exported',
      { exitCode: exitCodes.usage },
    );
}
