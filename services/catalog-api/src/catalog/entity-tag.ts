import { ApiError } from '../errors.ts';

/** One entity tag as a condition names it. */
export interface EntityTag {
  readonly weak: boolean;
  readonly opaque: string;
}
/** The value of If-Match or If-None-Match: any current representation, or one of these. */
export type EntityTags = '*' | readonly EntityTag[];

const oneTag = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/;

/** The ETag of an entity: its version, strong. Shape: `"7"`. Source: Zalando rule 182. */
export function entityTag(version: number): string {
  return `"${version}"`;
}

/**
 * Reads If-Match or If-None-Match. Source: RFC 9110 8.8.3, 13.1.1.
 * @throws ApiError INVALID_HEADER, because a condition that cannot be read must not count as absent.
 */
export function parseEntityTags(header: string, text: string): EntityTags {
  if (text.trim() === '*') return '*';
  const tags: EntityTag[] = [];
  // Empty elements of the list are ignored (RFC 9110 5.6.1.2), so nothing but commas names no tag.
  const afterCommas = (list: string): string => list.replace(/^[ \t,]+/, '');
  let rest = afterCommas(text.trim());
  while (rest !== '') {
    const match = oneTag.exec(rest);
    if (match === null) throw unreadable(header);
    tags.push({ weak: match[1] !== undefined, opaque: match[2] ?? '' });
    rest = rest.slice(match[0].length).trimStart();
    if (rest === '') break;
    if (!rest.startsWith(',')) throw unreadable(header);
    rest = afterCommas(rest);
  }
  if (tags.length === 0) throw unreadable(header);
  return tags;
}

/** Whether If-Match holds: strong comparison, so a weak tag never matches. `null`: there is no such entity now. */
export function matchesStrongly(tags: EntityTags, version: number | null): boolean {
  if (version === null) return false;
  return tags === '*' || tags.some((tag) => !tag.weak && tag.opaque === String(version));
}

/** Whether If-None-Match names the entity: weak comparison. */
export function matchesWeakly(tags: EntityTags, version: number | null): boolean {
  if (version === null) return false;
  return tags === '*' || tags.some((tag) => tag.opaque === String(version));
}

function unreadable(header: string): ApiError {
  return new ApiError(
    'INVALID_HEADER',
    `${header} must be * or a list of entity tags such as "3"; send the ETag of your last GET.`,
    {
      violations: [
        {
          in: 'header',
          pointer: `/${header.toLowerCase()}`,
          message: 'expected * or a list of quoted entity tags',
        },
      ],
    },
  );
}
