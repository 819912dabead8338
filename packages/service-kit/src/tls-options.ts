import { X509Certificate } from 'node:crypto';
import { createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';

/** What a client trusts, and by what it says who it is; each asked anew when a connection is made. */
export interface TlsTexts {
  /** Authorities in PEM form; undefined: Node's own list. */
  readonly ca: (() => string) | undefined;
  readonly cert: (() => string) | undefined;
  readonly key: (() => string) | undefined;
}

/**
 * Options for each connection to come, with the certificates as they are at that moment; the server's is always checked. A certificate and a key that do not fit (one file is
 * written and the other not yet) leave in force what did.
 * @throws what OpenSSL says if they do not fit at the start.
 */
export function tlsOptions({ ca, cert, key }: TlsTexts): () => ConnectionOptions {
  let texts: readonly (string | undefined)[] = [];
  let context: SecureContext;
  const read = () => {
    const now = [ca?.(), cert?.(), key?.()] as const;
    // The same context serves all connections: to make one costs a millisecond, and more with many authorities.
    if (context !== undefined && now.every((text, index) => text === texts[index])) return;
    const [caText, certText, keyText] = now;
    for (const text of [caText, certText]) if (text !== undefined) assertCertificates(text);
    context = createSecureContext({
      ...(caText === undefined ? {} : { ca: caText }),
      ...(certText === undefined ? {} : { cert: certText }),
      ...(keyText === undefined ? {} : { key: keyText }),
    });
    texts = now;
  };
  read();
  return () => {
    try {
      read();
    } catch {
      // In the midst of a renewal: the next connection looks again.
    }
    return { rejectUnauthorized: true, secureContext: context };
  };
}

/** OpenSSL passes over what it cannot read, so that a file that is half written would be a shorter list of authorities. @throws Error */
function assertCertificates(pem: string): void {
  const begins = pem.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  const whole = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (begins === 0 || whole.length !== begins)
    throw new Error('there is no whole certificate in PEM form in it');
  for (const each of whole) new X509Certificate(each);
}
