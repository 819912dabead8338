/** Longest time that a line waits for others, in ms. */
const longestWaitMs = 10;
/** Most characters that wait. */
const mostWaiting = 64 * 1024;

/**
 * Gathers lines and writes them together: a system call for each costs more than all that makes the line. None waits for longer than 10 ms, and an urgent one takes
 * all before it along at once, so the order stays. What waits at an exit of the process, whatever its reason, is written then; a process that is killed loses what it has logged in its last 10 ms.
 */
export class BufferedLines {
  readonly #write: (text: string) => void;
  #waiting = '';
  #timer: NodeJS.Timeout | undefined;

  /** @param write has written when it returns. */
  constructor(write: (text: string) => void) {
    this.#write = write;
    process.on('exit', () => this.flush());
  }

  /** @param line with its line feed. */
  add(line: string, isUrgent: boolean): void {
    this.#waiting += line;
    if (isUrgent || this.#waiting.length >= mostWaiting) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), longestWaitMs).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#waiting;
    this.#waiting = '';
    if (text !== '') this.#write(text);
  }
}
