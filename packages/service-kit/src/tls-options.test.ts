import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../../../test/support/authority.ts';
import type { Certificate } from '../../../test/support/certificate.ts';
import { currentText } from './current-text.ts';
import { tlsOptions } from './tls-options.ts';

let authority: Authority;
let first: Certificate;
let second: Certificate;
beforeAll(() => {
  authority = new Authority();
  first = authority.issue({ name: 'first' });
  second = authority.issue({ name: 'second' });
});
afterAll(() => authority[Symbol.dispose]());

describe('the options of a connection', () => {
  it('are made anew only when a certificate has changed', () => {
    let ca = authority.cert;
    const options = tlsOptions({ ca: () => ca, cert: undefined, key: undefined });
    const { secureContext } = options();
    expect(options().secureContext).toBe(secureContext);
    ca = first.cert;
    expect(options().secureContext).not.toBe(secureContext);
    expect(options().rejectUnauthorized).toBe(true);
  });

  it('stay as they are while a certificate and its key do not fit, or one is not whole', () => {
    let pair = first;
    const options = tlsOptions({
      ca: () => authority.cert,
      cert: () => pair.cert,
      key: () => pair.key,
    });
    const { secureContext } = options();
    for (const broken of [
      { cert: second.cert, key: first.key },
      { cert: '', key: first.key },
      { cert: second.cert.slice(0, 500), key: second.key },
      { cert: second.cert + second.cert.slice(0, 500), key: second.key },
    ]) {
      pair = broken;
      expect(options().secureContext).toBe(secureContext);
    }
    pair = second;
    expect(options().secureContext).not.toBe(secureContext);
  });

  it('are refused at the start if they do not fit, without a byte of the key', () => {
    const wrong = () =>
      tlsOptions({ ca: undefined, cert: () => second.cert, key: () => first.key });
    expect(wrong).toThrow(/key values mismatch/);
    expect(() =>
      tlsOptions({ ca: () => 'no certificate', cert: undefined, key: undefined }),
    ).toThrow('no whole certificate');
  });
});

describe('the text of a setting', () => {
  it('is what its file holds now, or the last that could be read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'outbound-text-'));
    const file = join(folder, 'secret');
    const text = currentText('first', file);
    expect(text()).toBe('first');
    writeFileSync(file, 'second\n');
    expect(text()).toBe('second');
    writeFileSync(file, '');
    expect(text()).toBe('second');
    rmSync(folder, { recursive: true });
    expect(text()).toBe('second');
  });

  it('is what it was where no file is named', () => {
    expect(currentText('value', undefined)()).toBe('value');
  });
});
