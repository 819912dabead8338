import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';

/** Lints a text as if it stood at `filePath`, with the project's own configuration. */
async function rulesBrokenBy(filePath: string, text?: string): Promise<(string | null)[]> {
  const eslint = new ESLint({ ignore: false });
  const results =
    text === undefined
      ? await eslint.lintFiles([filePath])
      : await eslint.lintText(text, { filePath });
  return results.flatMap(({ messages }) => messages.map(({ ruleId }) => ruleId));
}

describe('the lint', () => {
  it('refuses a publish that is not awaited', async () => {
    expect(await rulesBrokenBy('test/lint/fixtures/un-awaited-publish.ts')).toContain(
      '@typescript-eslint/no-floating-promises',
    );
  });

  it('refuses an acknowledgement that is voided instead of awaited', async () => {
    expect(await rulesBrokenBy('test/lint/fixtures/voided-ack.ts')).toContain(
      '@typescript-eslint/no-floating-promises',
    );
  });

  it.each([
    ['services/relay/src/wal/lsn.ts', '../kafka/lanes.ts'],
    ['services/relay/src/wal/lsn.ts', '../ack/ack-tracker.ts'],
    ['services/relay/src/outbox/outbox-event.ts', '../kafka/publisher.ts'],
    ['services/relay/src/pipeline.ts', 'kafkajs'],
    ['services/relay/src/pipeline.ts', 'pg-logical-replication'],
  ])(
    'refuses that %s imports %s, a later stage or a library behind a port',
    async (file, imported) => {
      expect(await rulesBrokenBy(file, `export * from '${imported}';\n`)).toContain(
        'no-restricted-imports',
      );
    },
  );
}, 60_000);
