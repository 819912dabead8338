/** The stack cannot do what was asked. The message says what is wrong, with which value, and what to do. */
export class StackError extends Error {
  override readonly name = 'StackError';
}
