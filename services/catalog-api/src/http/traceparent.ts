/**
 * Gives the traceparent if it is valid, else undefined: a broken one restarts the trace and never fails the request.
 * It is stored as it came and never altered, because it is the creation context of the event. Source: W3C Trace Context 3.2.
 */
export function readTraceparent(text: string | undefined): string | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.{0,64})?$/.exec(
    text ?? '',
  );
  if (match === null) return undefined;
  const [whole, version, traceId, parentId, more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId ?? '') || /^0+$/.test(parentId ?? '')) return undefined;
  return whole;
}
