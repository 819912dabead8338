import { expect, test } from 'vitest';
import { Output } from './output.ts';

function open({ isTTY = true, isJson = false, noColor = true } = {}) {
  const written = { out: '', err: '' };
  const output = new Output({
    out: { isTTY, write: (text) => ((written.out += text), true) },
    err: { isTTY, columns: 10, write: (text) => ((written.err += text), true) },
    isJson,
    noColor,
  });
  return { output, written };
}

test('a line of progress is replaced by the next one, and gives way to a note', () => {
  const { output, written } = open();
  output.redraw('half done, and this is too long');
  output.redraw('done');
  output.note('a note');
  output.note('another');
  expect(written.err).toBe('half done\r\u001b[Kdone\r\u001b[Ka note\nanother\n');
});

test('progress fills no file, and does not stand between lines of JSON', () => {
  for (const options of [{ isTTY: false }, { isJson: true }]) {
    const { output, written } = open(options);
    output.redraw('half done');
    output.answer({ a: 1 }, 'a is 1');
    expect(written.err).toBe('');
  }
});

test('an answer that is given anew clears a terminal, and nothing else', () => {
  const shown = (options: Parameters<typeof open>[0]) => {
    const { output, written } = open(options);
    output.answerAgain({ a: 1 }, 'a is 1');
    return written.out;
  };
  expect(shown({})).toBe('\u001b[H\u001b[2Ja is 1\n');
  expect(shown({ isTTY: false })).toBe('a is 1\n');
  expect(shown({ isJson: true })).toBe('{"a":1}\n');
});

test('a table has numbers on the right and no blanks at the ends of lines', () => {
  const { output } = open();
  expect(
    output.table(
      ['TOPIC', 'RECORDS', 'NOTE'],
      [
        ['a', '1,000', ''],
        ['bcd', '20', 'x'],
      ],
    ),
  ).toBe('TOPIC  RECORDS  NOTE\na        1,000\nbcd         20  x');
});

/** Clears the screen, conceals what follows, and ends a line and a title: what a producer may write into a key. */
const hostile = 'a\u001b[2J\u001b[8m\u009b1A\rb\u202ec\u0007';
const shown = 'a\\x1b[2J\\x1b[8m\\x9b1A\\rb\\u202ec\\x07';

test('nothing foreign moves the cursor of a terminal, in an answer, a table or a note', () => {
  const { output, written } = open();
  output.answer({}, `key ${hostile}\nnext\tline`);
  output.note(`event ${hostile}`);
  expect(written).toEqual({ out: `key ${shown}\nnext\tline\n`, err: `event ${shown}\n` });
  expect(output.table(['KEY'], [[hostile]])).toBe(`KEY\n${shown}`);
  expect(output.table(['KEY'], [['a\nb']])).toBe('KEY\na\\nb');
});

test('a pipe is given an answer as it is, but a cell of a table stays in its line', () => {
  const { output, written } = open({ isTTY: false });
  output.answer({}, hostile);
  expect(written.out).toBe(`${hostile}\n`);
  expect(output.table(['KEY'], [['a\nb']])).toBe('KEY\na\\nb');
});

test('what we have coloured ourselves stays so', () => {
  const { output, written } = open({ noColor: false });
  const { bold, red } = output.colors;
  const text = bold(red('late'));
  // The library colours nothing where its environment says so; then there is nothing to keep.
  output.answer({}, `${text} ${hostile}`);
  expect(written.out).toBe(`${text} ${shown}\n`);
  expect(output.table(['KEY'], [[text]])).toContain(text);
});
