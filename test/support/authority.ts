import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Certificate } from './certificate.ts';

/** What a certificate says. */
export interface CertificateRequest {
  readonly name: string;
  /** As OpenSSL writes it: `IP:127.0.0.1`, `DNS:db.example.com`. */
  readonly altName?: string;
  /** Good for so many days; for a negative number it has expired. */
  readonly days?: number;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** An authority that vouches for certificates, made with OpenSSL as an operator would. */
export class Authority implements Disposable {
  /** What has to be trusted, in PEM form. */
  readonly cert: string;
  readonly #dir = mkdtempSync(join(tmpdir(), 'outbound-authority-'));
  #count = 0;

  constructor(name = 'test authority') {
    this.#openssl(
      ...['req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`],
      ...['-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', 'ca.key', '-out', 'ca.pem'],
    );
    this.cert = this.#read('ca.pem');
  }

  issue({ name, altName = 'IP:127.0.0.1', days = 2 }: CertificateRequest): Certificate {
    this.#count += 1;
    const [key, request, cert] = ['key', 'csr', 'pem'].map((end) => `${this.#count}.${end}`) as [
      string,
      string,
      string,
    ];
    this.#openssl(
      ...['req', '-new', ...newKey, '-subj', `/CN=${name}`],
      ...['-addext', `subjectAltName=${altName}`, '-keyout', key, '-out', request],
    );
    this.#openssl(
      ...['x509', '-req', '-in', request, '-copy_extensions', 'copy', '-CA', 'ca.pem'],
      ...['-CAkey', 'ca.key', '-CAcreateserial', '-days', String(days), '-out', cert],
    );
    return { key: this.#read(key), cert: this.#read(cert) };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true });
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe', cwd: this.#dir });
  }

  #read(name: string): string {
    return readFileSync(join(this.#dir, name), 'utf8');
  }
}
