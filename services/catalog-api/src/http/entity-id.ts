import { entityId } from '@outbound/schemas';
import { ApiError } from '../errors.ts';

/**
 * Gives the id in the one form that keys, events and the database share: lower case. An upper-case UUID means the same id
 * (RFC 9562 4) and is accepted; every answer, Location and event shows it in lower case. The nil and the max UUID name nothing.
 * @throws ApiError INVALID_ID; UNKNOWN_PATH if there is no id
 */
export function readEntityId(text: string): string {
  // The router takes `/products/` for an id of no characters.
  if (text === '')
    throw new ApiError('UNKNOWN_PATH', 'Leave out the slash at the end of the path.');
  const id = text.toLowerCase();
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))
    return id;
  throw invalid('expected a UUID (RFC 9562)');
}

/**
 * Checks an id that a caller chose for a new entity: version 7, as the service's own, because lists are in the order of ids.
 * @throws ApiError INVALID_ID
 */
export function assertChosenId(id: string): void {
  if (!entityId.safeParse(id).success) throw invalid('expected a UUID of version 7 (RFC 9562 5.7)');
}

function invalid(message: string): ApiError {
  return new ApiError(
    'INVALID_ID',
    `The id in the path is not acceptable: ${message}, such as 019376e4-8c3a-7c7e-a1b2-0123456789ab.`,
    { violations: [{ in: 'path', pointer: '/id', message }] },
  );
}
