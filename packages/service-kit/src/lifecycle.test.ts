import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { runUntilSignal, type Lifecycle } from './lifecycle.ts';
import { PipelineError } from './errors.ts';
import { quietLogger } from './logger.ts';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  /** For which signals there was a listener at the first exit. */
  heardAtExit: (string | symbol)[] | undefined;
  readonly exited: Promise<void>;
  #exited: () => void = () => undefined;
  constructor() {
    super();
    this.exited = new Promise((resolve) => (this.#exited = resolve));
  }
  exit(code: number): void {
    this.exits.push(code);
    this.heardAtExit ??= this.eventNames();
    this.#exited();
  }
}

function run(main: (lifecycle: Lifecycle) => Promise<number | void>, deadlineMs = 5_000) {
  const host = new FakeProcess();
  const done = runUntilSignal(main, { logger: quietLogger(), deadlineMs, host });
  return { host, done };
}

test('a signal ends the program, and what was opened last is closed first', async () => {
  const closed: string[] = [];
  const { host, done } = run(async ({ stopRequested, onClose }) => {
    onClose('pool', () => void closed.push('pool'));
    onClose('server', () => Promise.resolve().then(() => void closed.push('server')));
    await stopRequested;
  });
  host.emit('SIGTERM');
  await done;
  expect(closed).toEqual(['server', 'pool']);
  expect(host.exits).toEqual([0]);
  expect(host.eventNames()).toEqual([]);
});

test('signals are heard until the process has ended, or the last moment would have a signal as its outcome', async () => {
  const { host, done } = run(() => Promise.resolve(11));
  await done;
  expect(host.heardAtExit).toEqual(expect.arrayContaining(['SIGTERM', 'SIGINT']));
  expect(host.eventNames()).toEqual([]);
});

test('the exit code is what main gives, and 70 if it throws', async () => {
  const ended = run(() => Promise.resolve(11));
  await ended.done;
  expect(ended.host.exits).toEqual([11]);
  const thrown = run(() => Promise.reject(new Error('defect')));
  await thrown.done;
  expect(thrown.host.exits).toEqual([70]);
});

test('a wrong setting is exit code 2', async () => {
  const { host, done } = run(() =>
    Promise.reject(new PipelineError('CONFIG_INVALID', 'the port is taken')),
  );
  await done;
  expect(host.exits).toEqual([2]);
});

test('a closer that fails does not hold up the others, and the exit says so', async () => {
  const closed: string[] = [];
  const { host, done } = run(({ onClose }) => {
    onClose('pool', () => void closed.push('pool'));
    onClose('server', () => Promise.reject(new Error('broken')));
    return Promise.resolve();
  });
  await done;
  expect(closed).toEqual(['pool']);
  expect(host.exits).toEqual([1]);
});

test('closing that hangs ends at the deadline', async () => {
  const { host } = run(({ onClose }) => {
    onClose('server', () => new Promise(() => undefined));
    return Promise.resolve();
  }, 20);
  await host.exited;
  expect(host.exits).toEqual([1]);
});

test('a second signal exits at once', async () => {
  const { host } = run(({ stopRequested, onClose }) => {
    onClose('server', () => new Promise(() => undefined));
    return stopRequested;
  }, 200);
  host.emit('SIGTERM');
  expect(host.exits).toEqual([]);
  host.emit('SIGINT');
  expect(host.exits).toEqual([130]);
  await host.exited;
});

test('an error that reached nobody exits with the code of a defect', () => {
  const { host } = run(({ stopRequested }) => stopRequested);
  host.emit('unhandledRejection', new Error('lost'));
  expect(host.exits).toEqual([70]);
});
