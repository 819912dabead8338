import type { z } from 'zod';
import type { Violation } from './errors.ts';

/** Most violations that one answer lists; a body of a thousand wrong fields needs no thousand sentences. */
const maxViolations = 50;

/** What zod found, as violations. No message quotes a value. */
export function toViolations(
  where: Violation['in'],
  issues: readonly z.core.$ZodIssue[],
): readonly Violation[] {
  return issues
    .flatMap((issue): Violation[] => {
      if (issue.code !== 'unrecognized_keys')
        return [{ in: where, pointer: pointer(issue.path), message: issue.message }];
      return issue.keys.map((key) => ({
        in: where,
        pointer: pointer([...issue.path, key]),
        message: 'is not a field that can be set',
      }));
    })
    .slice(0, maxViolations);
}

/** RFC 6901; a key of the caller's is cut, because it may be anything. */
function pointer(path: readonly PropertyKey[]): string {
  return path
    .map((step) => `/${String(step).slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}
