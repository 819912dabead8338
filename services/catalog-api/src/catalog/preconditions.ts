import { ApiError } from '../errors.ts';
import {
  entityTag,
  matchesStrongly,
  matchesWeakly,
  parseEntityTags,
  type EntityTags,
} from './entity-tag.ts';

/** The conditions under which a request wants to be done. */
export interface Preconditions {
  readonly ifMatch?: EntityTags;
  readonly ifNoneMatch?: EntityTags;
}

/** Reads both conditions from the headers. @throws ApiError INVALID_HEADER */
export function readPreconditions(headers: {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}): Preconditions {
  return {
    ...(headers['if-match'] === undefined
      ? {}
      : { ifMatch: parseEntityTags('If-Match', headers['if-match']) }),
    ...(headers['if-none-match'] === undefined
      ? {}
      : { ifNoneMatch: parseEntityTags('If-None-Match', headers['if-none-match']) }),
  };
}

/**
 * Refuses a change of an existing entity that does not say which version it changes: without it, the last of two
 * writers would silently undo the first. Source: RFC 6585 3.
 * @throws ApiError PRECONDITION_REQUIRED
 */
export function requireIfMatch(conditions: Preconditions): void {
  if (conditions.ifMatch !== undefined) return;
  throw new ApiError(
    'PRECONDITION_REQUIRED',
    'Send If-Match with the ETag of the version that you change.',
  );
}

/**
 * As `requireIfMatch`, for PUT, which may also create.
 * @throws ApiError PRECONDITION_REQUIRED
 */
export function requireAnyCondition(conditions: Preconditions): void {
  if (conditions.ifMatch !== undefined || conditions.ifNoneMatch === '*') return;
  throw new ApiError(
    'PRECONDITION_REQUIRED',
    'Send If-Match with the ETag of the version that you replace, or If-None-Match: * to create.',
  );
}

/**
 * Checks the conditions against the entity as it is under its lock. **Order**: If-Match first. Source: RFC 9110 13.2.2.
 * @param version of the live entity; null if there is none.
 * @throws ApiError PRECONDITION_FAILED
 */
export function assertPreconditions(conditions: Preconditions, version: number | null): void {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, version)) {
    throw new ApiError(
      'PRECONDITION_FAILED',
      version === null
        ? 'If-Match names a version, but the resource does not exist. Create it with If-None-Match: *.'
        : mismatch(ifMatch, version),
    );
  }
  if (ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, version)) {
    throw new ApiError(
      'PRECONDITION_FAILED',
      ifNoneMatch === '*'
        ? 'The resource exists already. Replace it with If-Match.'
        : 'If-None-Match names the current version.',
    );
  }
}

/** Why If-Match does not hold. Two kinds of tags look like the current one to a person; the answer has to say what tells them apart. */
function mismatch(tags: EntityTags, version: number): string {
  const current = entityTag(version);
  const read = tags === '*' ? [] : tags;
  if (read.some(({ weak, opaque }) => weak && opaque === String(version)))
    return `W/ makes the tag weak, and If-Match takes strong ones only (RFC 9110 13.1.1): something between us that compresses answers may have put it there. To change the current version, send ${current}.`;
  const suffix = read
    .map(({ opaque }) => /^(\d+)(-[a-z]{1,16})$/.exec(opaque))
    .find((match) => match?.[1] === String(version))?.[2];
  if (suffix !== undefined)
    return `The tag in If-Match ends in "${suffix}", which something between us has added that compresses answers. To change the current version, send ${current}.`;
  return `If-Match does not name the current version, which is ${current}. Read the resource again and repeat the change on it.`;
}
