/** Deliveries that have not ended, of whatever life; also those that count no more. */
export class RunningDeliveries {
  #count = 0;
  readonly #whenNone: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
    if (this.#count === 0) for (const resolve of this.#whenNone.splice(0)) resolve();
  }

  /** Resolves when none runs. */
  async none(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#whenNone.push(resolve));
  }
}
