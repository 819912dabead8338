import Table from 'cli-table3';
import pc from 'picocolors';
import { safeText } from '../records/safe-text.ts';

/** What `picocolors` puts around a text: bold, dim, colours of letters, and their ends; no concealed text. */
// eslint-disable-next-line no-control-regex -- these begin with ESC
const ownColors = /(\u001b\[(?:[0-2]|2[2-9]|3[0-79]|9[0-7])m)/;

/** A stream to a person or a pipe; process.stdout fits. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
}

/** Writes bytes to standard output, and tells when it has them, or why not. */
export type WriteBytes = (bytes: Uint8Array, taken: (error?: Error | null) => void) => void;

/**
 * Where a verb's answer goes. With `--json` the answer is JSON on standard output and nothing else is; without, text
 * for people. Progress, questions
 * and errors always go to standard error, so that a pipe gets the answer alone. Colours and cursor tricks only on a
 * terminal, and
 * none with NO_COLOR (no-color.org) set to anything.
 */
export class Output {
  readonly isJson: boolean;
  readonly colors: ReturnType<typeof pc.createColors>;
  /** False where a progress bar would only fill a file. */
  readonly canRedraw: boolean;
  /** Whether a person reads the answer: then nothing in a record may move the cursor. */
  readonly isTerminal: boolean;
  readonly #out: TextStream;
  readonly #err: TextStream;
  readonly #writeBytes: WriteBytes;
  readonly #columns: number | undefined;
  #isLineOpen = false;

  constructor(options: {
    readonly out: TextStream;
    readonly err: TextStream;
    readonly isJson: boolean;
    readonly noColor: boolean;
    /** Needed by verbs whose answer is bytes. */
    readonly writeBytes?: WriteBytes | undefined;
  }) {
    this.#writeBytes =
      options.writeBytes ?? ((_bytes, taken) => taken(new Error('standard output takes no bytes')));
    this.#out = options.out;
    this.#err = options.err;
    this.isJson = options.isJson;
    this.isTerminal = options.out.isTTY === true;
    this.#columns = options.err.columns;
    this.canRedraw = options.err.isTTY === true && !options.isJson;
    this.colors = pc.createColors(this.isTerminal && !options.noColor);
  }

  /**
   * The verb's answer: `json` as one line of JSON with --json, else `text`. A verb that streams calls it for each item.
   * On a terminal nothing in the text moves the cursor.
   */
  answer(json: unknown, text: string | (() => string)): void {
    this.#err.write(this.#clearLine());
    if (this.isJson) this.#out.write(`${JSON.stringify(json)}\n`);
    else {
      const told = typeof text === 'string' ? text : text();
      this.#out.write(`${this.isTerminal ? this.#safe(told, '\n\t') : told}\n`);
    }
  }

  /** Bytes as they are, without a newline: for format strings. */
  raw(text: string): void {
    this.#out.write(text);
  }

  /** Bytes as they are; resolves when the system has them, so that no more is made than is taken. @throws what writing says, EPIPE too */
  bytes(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writeBytes(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Takes the line of progress away. */
  endProgress(): void {
    this.#err.write(this.#clearLine());
  }

  /** Something a person should know that is not the answer. */
  note(text: string): void {
    this.#err.write(`${this.#clearLine()}${this.#safe(text, '\n\t')}\n`);
  }

  /** A line of progress that the next one, or a note, takes the place of; nothing at all where `canRedraw` is false. */
  redraw(text: string): void {
    if (!this.canRedraw) return;
    const width = (this.#columns ?? 80) - 1;
    this.#err.write(`${this.#clearLine()}${safeText(text).slice(0, width)}`);
    this.#isLineOpen = true;
  }

  /** The whole answer anew, over the one before: on a terminal from its top, elsewhere below it. */
  answerAgain(json: unknown, text: string | (() => string)): void {
    if (this.isTerminal && !this.isJson) this.#out.write('\u001b[H\u001b[2J');
    this.answer(json, text);
  }

  /** Progress and answer share the terminal: the open line goes before the answer comes. */
  #clearLine(): string {
    if (!this.#isLineOpen) return '';
    this.#isLineOpen = false;
    return '\r\u001b[K';
  }

  /** Keys, ids and messages are others' text: nothing in them may move the cursor. Our own colours stay. */
  #safe(text: string, keep = ''): string {
    return text
      .split(ownColors)
      .map((part, at) =>
        at % 2 === 1 && this.colors.isColorSupported ? part : safeText(part, keep),
      )
      .join('');
  }

  /** A table without lines, as a terminal's user copies it. Numbers stand right; every row is one line. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): string {
    const table = new Table({
      head: head.map((text) => this.colors.bold(text)),
      colAligns: head.map((_, column) =>
        rows.length > 0 && rows.every((row) => /^-?[\d.,]+( ?[a-zA-Z%]+)?$/.test(row[column] ?? ''))
          ? 'right'
          : 'left',
      ),
      chars: {
        ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', mid: '' },
        ...{ 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', right: '' },
        ...{ 'left-mid': '', 'mid-mid': '', 'right-mid': '', middle: '  ' },
      },
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    });
    for (const row of rows) table.push(row.map((cell) => this.#safe(cell)));
    return table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n');
  }
}
