import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { AnswersInFlight } from './answers-in-flight.ts';

function world() {
  let nowMs = 0;
  const answers = new AnswersInFlight(
    { answersInFlightBytes: 100, answerTimeoutMs: 30_000 },
    () => nowMs,
  );
  const hold = (bytes: number, caller: string) => {
    const socket = { destroyed: false, destroy: () => (socket.destroyed = true) };
    const response = Object.assign(new EventEmitter(), { req: { socket } });
    answers.hold(response as unknown as ServerResponse, bytes, caller);
    return { socket, taken: () => response.emit('close') };
  };
  return { answers, hold, wait: (ms: number) => (nowMs += ms) };
}

describe('while one caller holds all the room', () => {
  it('his oldest answer is ended for another one, once it had its time', () => {
    const { answers, hold, wait } = world();
    const [first, second] = [hold(50, 'slow'), hold(50, 'slow')];
    expect(() => answers.assertRoomForPage(20, 'honest')).toThrow('Too many answers');
    wait(1_000);
    answers.assertRoomForPage(20, 'honest');
    expect([first.socket.destroyed, second.socket.destroyed]).toEqual([true, false]);
    expect(answers.bytes).toBe(50);
    first.taken();
    expect(answers.bytes).toBe(50);
  });

  it('he himself is refused, and ends nobody', () => {
    const { answers, hold, wait } = world();
    const held = [hold(60, 'slow'), hold(30, 'honest')];
    wait(5_000);
    expect(() => answers.assertRoomForPage(20, 'slow')).toThrow('Too many answers');
    // Nor does one who would hold as much.
    expect(() => answers.assertRoomForPage(30, 'honest')).toThrow('Too many answers');
    expect(held.map(({ socket }) => socket.destroyed)).toEqual([false, false]);
  });

  it('as many of his are ended as it takes', () => {
    const { answers, hold, wait } = world();
    const held = [hold(30, 'slow'), hold(30, 'slow'), hold(30, 'slow')];
    wait(1_000);
    answers.assertRoomForPage(45, 'another');
    expect(held.map(({ socket }) => socket.destroyed)).toEqual([true, true, false]);
  });

  it('whoever would hold more than he does is refused', () => {
    const { answers, hold, wait } = world();
    const held = [hold(50, 'slow'), hold(49, 'slower')];
    wait(1_000);
    expect(() => answers.assertRoomForPage(60, 'another')).toThrow('Too many answers');
    expect(held.map(({ socket }) => socket.destroyed)).toEqual([false, false]);
  });
});
