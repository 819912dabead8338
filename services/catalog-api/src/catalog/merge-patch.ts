import { isJsonObject } from '@outbound/contract';

/**
 * The target after the patch: null removes a member, objects merge, anything else replaces. Neither argument is changed.
 * Recursion is bounded by the parser's depth limit. Source: RFC 7396 2.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const result = new Map<string, unknown>(isJsonObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, mergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}
