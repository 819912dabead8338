import { parseJson } from '@outbound/contract';
import type { LineError } from './import-row.ts';
import type { ImportTarget } from './import-target.ts';
import type { SendChunk } from './run-import.ts';

/** Judges rows as the API would, apart from what only the database knows. */
export function dryRun({ input }: ImportTarget): SendChunk {
  return (items) => {
    const errors = items.flatMap(({ line, text }): LineError[] => {
      const { error } = input.safeParse(parseJson(text));
      if (!error) return [];
      return [
        {
          line,
          status: 400,
          type: '/problems/validation-failed',
          title: 'The row breaks the schema',
          detail: error.issues
            .map(({ path, message }) => `${path.map(String).join('.')}: ${message}`)
            .join('; '),
        },
      ];
    });
    return Promise.resolve({
      created: items.length - errors.length,
      createdBefore: 0,
      errors,
      retries: 0,
    });
  };
}
