/** An answer that a helper of the client cannot go on from. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly status: number;
  /** The body, as far as a person reads it. */
  readonly text: string;
  constructor(what: string, status: number, text: string) {
    super(`${what} is answered ${status}: ${text.slice(0, 500)}`);
    this.status = status;
    this.text = text;
  }
}
