/** What a caller wants back of a change. Source: RFC 7240 4.2. */
export type ReturnPreference = 'minimal' | 'representation';

/**
 * Reads `return` of Prefer. Of several the first counts, and what cannot be read is left alone: a preference is none that must be met (RFC 7240 2).
 * @param text all of the header's lines, joined by commas.
 */
export function readReturnPreference(
  text: string | readonly string[] | undefined,
): ReturnPreference | undefined {
  if (text === undefined) return undefined;
  for (const part of partsOf(typeof text === 'string' ? text : text.join(','), ',')) {
    // Parameters of a preference stand behind it; `return` has none.
    const [preference = ''] = partsOf(part, ';');
    const [name = '', value = ''] = partsOf(preference, '=');
    if (name.trim().toLowerCase() !== 'return') continue;
    const unquoted = value.trim().replace(/^"(.*)"$/, '$1');
    return unquoted === 'minimal' || unquoted === 'representation' ? unquoted : undefined;
  }
  return undefined;
}

/** Cuts a text where the separator stands outside of quotes, in one pass. */
function partsOf(text: string, separator: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    if (isQuoted && text[at] === '\\') at += 1;
    else if (text[at] === '"') isQuoted = !isQuoted;
    else if (!isQuoted && text[at] === separator) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}
