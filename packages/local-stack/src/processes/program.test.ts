import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startProgram } from './program.ts';

const shell = (script: string) => ({
  what: 'the script',
  command: () => ['/bin/sh', '-c', script] as const,
});

describe('a program beside the stack', () => {
  it('runs in a folder of its own, which goes with it', async () => {
    const program = await startProgram({
      what: 'the script',
      command: async (folder) => {
        await writeFile(join(folder, 'input'), 'from a file');
        return ['/bin/sh', '-c', 'cat input; exec sleep 60'];
      },
    });
    await program.untilReady(async () => (await program.output()) === 'from a file');
    expect(program.isRunning()).toBe(true);
    await program.close();
    await program.close();
    expect(program.isRunning()).toBe(false);
    expect(existsSync(program.folder)).toBe(false);
  });

  it('ends by a signal, and its output stays readable', async () => {
    await using program = await startProgram(
      shell('trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done'),
    );
    await program.untilReady(async () => (await program.output()) === 'up\n');
    await program.end();
    expect(await program.output()).toBe('up\nbye\n');
  });

  it('that ends before it is ready is an error with the end of its output', async () => {
    await using program = await startProgram(shell('echo no such topic; exit 3'));
    await expect(program.untilReady(async () => Promise.resolve(false))).rejects.toThrow(
      /the script ended while it started \(exit code 3\)[^]*no such topic/,
    );
  });

  it('leaves no folder behind when it cannot be made', async () => {
    let folder = '';
    const starting = startProgram({
      what: 'the script',
      command: (own) => {
        folder = own;
        throw new Error('no jars');
      },
    });
    await expect(starting).rejects.toThrow('no jars');
    expect(existsSync(folder)).toBe(false);
  });
});
