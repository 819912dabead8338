/** What a caller wants back of a change. Source: RFC 7240 4.2. */
export type ReturnPreference = 'minimal' | 'representation';

const preference =
  /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:=[ \t]*("(?:[^"\\]|\\.)*"|[^",; \t]*))?(?:[ \t]*;(?:"(?:[^"\\]|\\.)*"|[^",])*)?[ \t]*(?:,|$)/;

/**
 * Reads `return` of Prefer. Of several the first counts, and what cannot be read is left alone: a preference is none that must be met (RFC 7240 2).
 * @param text all of the header's lines, joined by commas.
 */
export function readReturnPreference(
  text: string | readonly string[] | undefined,
): ReturnPreference | undefined {
  let rest = typeof text === 'string' ? text : (text ?? []).join(',');
  while (rest !== '') {
    const match = preference.exec(rest);
    if (match === null) return undefined;
    rest = rest.slice(match[0].length);
    if (match[1]?.toLowerCase() !== 'return') continue;
    const value = match[2]?.replace(/^"(.*)"$/, '$1');
    return value === 'minimal' || value === 'representation' ? value : undefined;
  }
  return undefined;
}
