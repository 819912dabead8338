import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A private key and a certificate that vouches for itself, both in PEM form. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A certificate of a broker at 127.0.0.1, good for so many days; for a negative number it has expired. */
export function certificate({ days = 2 }: { readonly days?: number } = {}): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'kafka-tls-'));
  const file = (name: string) => join(dir, name);
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  try {
    openssl(
      ...['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=broker'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', file('key'), '-out', file('request')],
    );
    // Only a request that is signed may be given a day that is over.
    openssl(
      ...['x509', '-req', '-in', file('request'), '-copy_extensions', 'copy'],
      ...['-signkey', file('key'), '-days', String(days), '-out', file('cert')],
    );
    return {
      key: readFileSync(file('key'), 'utf8'),
      cert: readFileSync(file('cert'), 'utf8'),
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
