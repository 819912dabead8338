/** What is to be done between two batches. */
export type Step = () => Promise<void> | void;

/** Steps that are taken one after the other, in the order in which they came: so at most one function of the caller's runs at a time. */
export class StepQueue {
  readonly #steps: Step[] = [];
  readonly #over: AbortSignal;
  /** Wakes who waits for the next step. */
  #wake: () => void = () => undefined;

  /** @param over no step is begun after it. */
  constructor(over: AbortSignal) {
    this.#over = over;
    over.addEventListener('abort', () => this.#wake(), { once: true });
  }

  /** The next step, when those before it are done. */
  then(step: Step): void {
    this.#steps.push(step);
    this.#wake();
  }

  /** Takes steps until all is over. @param after is done after each. @throws what a step throws, and takes no other then. */
  async run(after: () => Promise<void>): Promise<void> {
    while (!this.#over.aborted) {
      const step = this.#steps.shift();
      if (step) {
        await step();
        await after();
      } else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
