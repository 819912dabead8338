/** Where a secret was seen, and in which form. */
export interface Sighting {
  readonly canary: string;
  readonly where: string;
  readonly form: string;
  /** What stands around it. */
  readonly context: string;
}

/** The forms in which a text may leave a program. */
const forms: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  base64: (text) => withoutEnds(Buffer.from(text).toString('base64')),
  base64url: (text) => withoutEnds(Buffer.from(text).toString('base64url')),
  hex: (text) => Buffer.from(text).toString('hex'),
  'URL-encoded': (text) => encodeURIComponent(text),
  'as JSON': (text) => JSON.stringify(text).slice(1, -1),
};

/** Looks for each canary, in every form, in all that a program has put out. */
export function findCanaries(
  canaries: Readonly<Record<string, string>>,
  outputs: ReadonlyMap<string, string>,
): Sighting[] {
  const sightings: Sighting[] = [];
  for (const [where, text] of outputs)
    for (const [canary, value] of Object.entries(canaries))
      for (const [form, encode] of Object.entries(forms)) {
        const at = text.toLowerCase().indexOf(encode(value).toLowerCase());
        if (at === -1) continue;
        sightings.push({
          canary,
          where,
          form,
          context: text.slice(Math.max(0, at - 120), at + 60),
        });
        break;
      }
  return sightings;
}

/** What is encoded of the middle, whatever stands before and behind: up to two characters at each end depend on it. */
function withoutEnds(encoded: string): string {
  return encoded.replace(/=+$/, '').slice(0, -2);
}
