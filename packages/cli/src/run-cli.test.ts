import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliError, exitCodes } from './exit-codes.ts';
import { outbound } from './test-support/outbound.ts';
import type { AddVerb, ListedVerb } from './verb.ts';
import { verbs as allVerbs } from './verbs.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-cli-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** A verb that shows what it was given. */
const show: AddVerb = (verb, bind) =>
  verb
    .argument('[what]')
    .option('--fail')
    .action(
      bind((context, what: string | undefined, { fail }: { fail?: boolean }) => {
        if (fail === true)
          throw new CliError('NOT_TODAY', 'come again tomorrow', { exitCode: exitCodes.busy });
        const { slot, apiUrl } = context.settings;
        context.output.note('looking');
        context.output.answer({ what, slot, apiUrl }, () =>
          context.output.colors.red(`${what} ${slot}`),
        );
        return Promise.resolve(exitCodes.done);
      }),
    );
const listed = (name: string, verb: AddVerb, usage = ''): ListedVerb => ({
  name,
  usage,
  description: `${name}s settings`,
  load: () => Promise.resolve(verb),
});
const verbs = [listed('show', show, '[what]')];

describe('the command line', () => {
  test('--help goes to standard output and names verbs, settings and exit codes', async () => {
    const { code, out, err } = await outbound(['--help'], { verbs });
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain('show [what]');
    expect(out).toContain('[OUTBOUND_DATABASE_URL]');
    expect(out).toMatch(/Exit codes: 0 done, 1 failed, 2 usage, .*130 interrupted\./);
  });

  test('a verb has help of its own', async () => {
    const { code, out } = await outbound(['show', '--help'], { verbs });
    expect(code).toBe(0);
    expect(out).toContain('shows settings');
  });

  test('--version', async () => {
    expect(await outbound(['--version'], { verbs })).toMatchObject({ code: 0, out: '1.2.3\n' });
  });

  test('no verb is answered with the help on standard error, and 2', async () => {
    const { code, out, err } = await outbound([], { verbs });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('Usage: outbound');
  });

  test('an unknown verb is answered with the nearest one, and 2', async () => {
    const { code, err } = await outbound(['shwo'], { verbs });
    expect(code).toBe(2);
    expect(err).toContain("unknown command 'shwo'");
    expect(err).toContain('(Did you mean show?)');
    expect(err).toContain('outbound --help');
  });

  test('an unknown option is 2, and nothing is done', async () => {
    const { code, out, err } = await outbound(['show', '--fial'], { verbs });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain("unknown option '--fial'");
  });

  test.each([
    [['--json'], 'no verb is given'],
    [['--json', 'shwo'], "unknown command 'shwo'"],
    [['show', '--fial', '--json'], "unknown option '--fial'"],
  ])(
    'with --json a wrong command line %j is one object on standard error',
    async (argv, message) => {
      const { code, out, err } = await outbound(argv, { verbs });
      expect(code).toBe(2);
      expect(out).toBe('');
      expect(JSON.parse(err)).toEqual({
        error: { code: 'USAGE', message: expect.stringContaining(message) as unknown },
      });
    },
  );

  test('--json behind -- is an argument', async () => {
    expect((await outbound(['show', '--', '--json'], { verbs })).out).toBe('--json outbound\n');
  });

  test('the answer goes to standard output, notes to standard error', async () => {
    expect(await outbound(['show', 'me'], { verbs })).toMatchObject({
      code: 0,
      out: 'me outbound\n',
      err: 'looking\n',
    });
    const { json } = await outbound(['show', 'me', '--json'], { verbs });
    expect(json()).toEqual([{ what: 'me', slot: 'outbound' }]);
  });

  test("an error is one sentence with its code, and ends with the error's own exit code", async () => {
    expect(await outbound(['show', '--fail'], { verbs })).toMatchObject({
      code: exitCodes.busy,
      out: '',
      err: 'outbound: NOT_TODAY: come again tomorrow\n',
    });
    const { err } = await outbound(['--json', 'show', '--fail'], { verbs });
    expect(JSON.parse(err)).toEqual({
      error: { code: 'NOT_TODAY', message: 'come again tomorrow' },
    });
  });

  test('colours are for terminals, and for nobody who says NO_COLOR', async () => {
    const shown = async (isTTY: boolean, env = {}) =>
      (await outbound(['show', 'me'], { verbs, isTTY, env })).out;
    expect(await shown(true)).toBe('\u001b[31mme outbound\u001b[39m\n');
    expect(await shown(true, { NO_COLOR: '1' })).toBe('me outbound\n');
    expect(await shown(false)).toBe('me outbound\n');
  });

  test('what is interrupted ends with 130 and says nothing', async () => {
    const stop = new AbortController();
    const waiting: AddVerb = (verb, bind) =>
      verb.action(
        bind(({ signal }) => {
          stop.abort();
          signal.throwIfAborted();
          return Promise.resolve(exitCodes.done);
        }),
      );
    expect(
      await outbound(['wait'], { verbs: [listed('wait', waiting)], signal: stop.signal }),
    ).toMatchObject({
      code: 130,
      err: '',
    });
  });

  test('what a verb opened is closed however it ends, the last thing first', async () => {
    const closed: string[] = [];
    const opening: AddVerb = (verb, bind) =>
      verb.action(
        bind((context) => {
          for (const name of ['first', 'second'])
            context.onClose(() => Promise.resolve(closed.push(name)));
          throw new CliError('NOT_TODAY', 'no');
        }),
      );
    expect((await outbound(['open'], { verbs: [listed('open', opening)] })).code).toBe(1);
    expect(closed).toEqual(['second', 'first']);
  });

  test('a missing setting is named with its option', async () => {
    const asking: AddVerb = (verb, bind) =>
      verb.action(
        bind((context) => {
          context.kafka();
          return Promise.resolve(exitCodes.done);
        }),
      );
    expect(await outbound(['ask'], { verbs: [listed('ask', asking)] })).toMatchObject({
      code: 2,
      err: 'outbound: SETTING_MISSING: OUTBOUND_KAFKA_BROKERS is not set: set it, or say --brokers (outbound --help)\n',
    });
  });
});

describe('the list of verbs', () => {
  test('says of each verb what its module declares', async () => {
    for (const { name, usage, load } of allVerbs) {
      const declared = new Command(name);
      (await load())(declared, () => () => Promise.resolve());
      expect({ name, usage: declared.usage().replace('[options]', '').trim() }).toEqual({
        name,
        usage,
      });
    }
  }, 120_000);

  test('loads the verb that is asked for, and no other', async () => {
    const loaded: string[] = [];
    const done: AddVerb = (verb, bind) => verb.action(bind(() => Promise.resolve(exitCodes.done)));
    const lazily = ['one', 'two'].map((name) => ({
      ...listed(name, done),
      load: () => {
        loaded.push(name);
        return Promise.resolve(done);
      },
    }));
    expect((await outbound(['--help'], { verbs: lazily })).out).toContain('ones settings');
    expect((await outbound(['tow'], { verbs: lazily })).err).toContain('two');
    expect(loaded).toEqual([]);
    expect((await outbound(['--slot', 'x', 'two'], { verbs: lazily })).code).toBe(0);
    expect(loaded).toEqual(['two']);
  });
});

describe('settings', () => {
  const slotOf = async (
    argv: readonly string[],
    options: Parameters<typeof outbound>[1] = {},
  ): Promise<unknown> =>
    (await outbound(['--json', 'show', ...argv], { verbs, ...options })).json()[0];

  test('an unknown OUTBOUND_ setting is refused, one of the local stack is not', async () => {
    const { code, err } = await outbound(['show'], { verbs, env: { OUTBOUND_SLOTT: 'x' } });
    expect(code).toBe(2);
    expect(err).toContain('OUTBOUND_SLOTT: is not a setting');
    expect(
      await slotOf([], { env: { OUTBOUND_STACK: 'processes', OUTBOUND_DATA_DIR: '/tmp/x' } }),
    ).toMatchObject({ slot: 'outbound' });
  });

  test('an option wins over the environment, and that over the file', async () => {
    const file = join(folder, 'some.env');
    await writeFile(
      file,
      '# of npm start\nOUTBOUND_SLOT=of_file\nOUTBOUND_API_URL="http://file:1"\nOTHER=x\n',
    );
    const env = { OUTBOUND_SLOT: 'of_env' };
    expect(await slotOf(['--env-file', file])).toMatchObject({ slot: 'of_file' });
    expect(await slotOf(['--env-file', file], { env })).toEqual({
      slot: 'of_env',
      apiUrl: 'http://file:1',
    });
    expect(await slotOf(['--env-file', file, '--slot', 'of_option'], { env })).toMatchObject({
      slot: 'of_option',
    });
  });

  test("a file's value gives way to a _FILE of the environment, and the other way round", async () => {
    const [file, secret] = [join(folder, 'some.env'), join(folder, 'secret')];
    await writeFile(secret, 'of_secret\n');
    await writeFile(file, 'OUTBOUND_SLOT=of_file\n');
    expect(
      await slotOf(['--env-file', file], { env: { OUTBOUND_SLOT_FILE: secret } }),
    ).toMatchObject({ slot: 'of_secret' });
    await writeFile(file, `OUTBOUND_SLOT_FILE=${secret}\n`);
    expect(await slotOf(['--env-file', file])).toMatchObject({ slot: 'of_secret' });
    expect(await slotOf(['--env-file', file], { env: { OUTBOUND_SLOT: 'of_env' } })).toMatchObject({
      slot: 'of_env',
    });
  });

  test('an unknown setting in the file is refused, and a file that is not there', async () => {
    const file = join(folder, 'some.env');
    await writeFile(file, 'OUTBOUND_SLOTT=x\n');
    expect((await outbound(['--env-file', file, 'show'], { verbs })).err).toContain(
      'OUTBOUND_SLOTT: is not a setting',
    );
    const missing = await outbound(['--env-file', join(folder, 'none'), 'show'], { verbs });
    expect(missing.code).toBe(2);
    expect(missing.err).toContain('cannot be read (ENOENT)');
  });

  test("the running demo's file is used, and named, only where nothing else says where to look", async () => {
    const localEnvFile = join(folder, 'outbound.env');
    await writeFile(localEnvFile, 'OUTBOUND_SLOT=of_demo\n');
    const { out, err } = await outbound(['show', 'me'], { verbs, localEnvFile });
    expect(out).toBe('me of_demo\n');
    expect(err).toContain(`the pipeline of npm start, from ${localEnvFile}`);
    for (const [argv, env] of [
      [[], { OUTBOUND_API_URL: 'http://elsewhere' }],
      [['--brokers', 'elsewhere:9092'], {}],
      [['--database-url', 'postgres://elsewhere/catalog'], {}],
    ] as const)
      expect(await slotOf(argv, { env, localEnvFile })).toMatchObject({ slot: 'outbound' });
    expect(await slotOf([], { env: { OUTBOUND_DATA_DIR: folder }, localEnvFile })).toMatchObject({
      slot: 'of_demo',
    });
  });
});

describe('as a process', () => {
  /** `main.ts` with one verb that writes for ever, or until it is told to stop. */
  async function start(): Promise<ReturnType<typeof spawn>> {
    const main = join(import.meta.dirname, 'main.ts');
    const entry = join(folder, 'entry.mts');
    await writeFile(
      entry,
      `import { verbs } from ${JSON.stringify(join(import.meta.dirname, 'verbs.ts'))};
       const count = (verb, bind) => verb.action(bind(async ({ output, signal }) => {
         for (let count = 0; !signal.aborted; count++) {
           output.answer(count, String(count));
           await new Promise((resolve) => setImmediate(resolve));
         }
         signal.throwIfAborted();
         return 0;
       }));
       verbs.push({ name: 'count', usage: '', description: 'counts', load: async () => count });
       await import(${JSON.stringify(main)});`,
    );
    return spawn(process.execPath, ['--import', 'tsx', entry, 'count'], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  test('whoever reads may go: a broken pipe ends it quietly with 0', async () => {
    const child = await start();
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    if (child.stdout === null) throw new Error('no pipe');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(err).toBe('');
  });

  test('Ctrl-C ends it with 130', async () => {
    const child = await start();
    if (child.stdout === null) throw new Error('no pipe');
    child.stdout.once('data', () => child.kill('SIGINT'));
    child.stdout.resume();
    expect(await once(child, 'close')).toEqual([130, null]);
  });
});
