/** What a request's header names. */
export interface RequestApi {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** Header and answer carry tagged fields (KIP-482): we send none, and a `payload` begins with the answer's. */
  readonly isFlexible: boolean;
}

/** Header of a request, version 1 or 2, behind the size of header and body. */
export function requestHeader(
  api: RequestApi,
  {
    correlationId,
    clientId,
    bodyBytes,
  }: { correlationId: number; clientId: string; bodyBytes: number },
): Buffer {
  const length = Buffer.byteLength(clientId);
  const headerBytes = 14 + length + (api.isFlexible ? 1 : 0);
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeInt32BE(headerBytes - 4 + bodyBytes, 0);
  header.writeInt16BE(api.key, 4);
  header.writeInt16BE(api.version, 6);
  header.writeInt32BE(correlationId, 8);
  header.writeInt16BE(length, 12);
  header.write(clientId, 14);
  if (api.isFlexible) header.writeInt8(0, headerBytes - 1);
  return header;
}
