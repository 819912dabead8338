import { createHash, createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { scramVerifier } from './scram-verifier.ts';

test('fits the exchange that RFC 7677 3 shows', () => {
  const salt = 'W22ZaJ0SNY7soEsUEjb6gQ==';
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const exchange = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=${salt},i=4096,c=biws,r=${nonce}`;
  const verifier = scramVerifier('pencil', Buffer.from(salt, 'base64'));
  const [, keys = ''] = verifier.split(`SCRAM-SHA-256$4096:${salt}$`);
  const [storedKey = Buffer.of(), serverKey = Buffer.of()] = keys
    .split(':')
    .map((text) => Buffer.from(text, 'base64'));
  const sign = (key: Buffer) => createHmac('sha256', key).update(exchange).digest();
  expect(sign(serverKey).toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  // The client's proof hides its key behind a signature; the server keeps the key's hash.
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64');
  const signature = sign(storedKey);
  const clientKey = proof.map((byte, index) => byte ^ (signature[index] ?? 0));
  expect(createHash('sha256').update(clientKey).digest()).toEqual(storedKey);
});

test('is another one each time', () => {
  expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
  expect(scramVerifier('pencil')).not.toContain('pencil');
});

test.each([
  ['empty', ''],
  ['a ligature', 'o\ufb03ce'],
  ['a space of no width', 'a\u200bb'],
  ['a soft hyphen', 'a\u00adb'],
  ['an accent written apart', 'u\u0308ber'],
  ['half a character', 'a\ud800'],
])('%s is refused without being quoted', (_, password) => {
  expect(() => scramVerifier(password)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  );
  if (password !== '') expect(() => scramVerifier(password)).not.toThrow(password);
});
