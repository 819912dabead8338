import { z } from 'zod';
import { currency } from './currency.ts';
import { JsonNumber } from '@outbound/contract';

const amountText = /^(0|[1-9]\d{0,10})(\.\d{1,4})?$/;
const rule =
  'must be a decimal of at most 11 digits before the point and 4 after, not negative, without an exponent';

/**
 * An amount of money as a JavaScript number that stands for an exact decimal: 11 + 4 digits are at most 15 significant ones, and so many always
 * survive a double and come back as they were written (IEEE 754: DBL_DIG = 15). The check is made on the text that was sent, so
 * `1.50` is taken as 1.5, and `1e2`, `-0` and `0.10000000000000001` are refused, not rounded.
 */
export const moneyAmount = z
  .preprocess(
    (sent) => {
      if (typeof sent === 'number') return Object.is(sent, -0) ? '-0' : String(sent);
      return sent instanceof JsonNumber ? sent.value : undefined;
    },
    z
      .string({ error: 'must be a number' })
      .regex(amountText, rule)
      .transform((text) => Number(text)),
  )
  // No `multipleOf: 0.0001`: validators divide binary floats, and refuse 19.99.
  .meta({ type: 'number', minimum: 0, maximum: 99_999_999_999.9999, example: 99.95 });

/** A price. Closed: nothing is ever added to it (Zalando rule 173). */
export const money = z.strictObject({
  amount: moneyAmount.describe('Exact decimal; at most 4 digits after the point.'),
  currency: currency.describe('ISO 4217 code.'),
});
export type Money = z.output<typeof money>;

/**
 * The decimal text of an amount for a `numeric` column, without exponent and trailing zeros: `99.95`.
 * @throws RangeError if it is no amount that `moneyAmount` takes.
 */
export function amountToText(amount: number): string {
  const text = String(amount);
  if (Object.is(amount, -0) || !amountText.test(text))
    throw new RangeError(`${text} is not an amount of money: it ${rule}`);
  return text;
}

/** The amount in the text of a `numeric(15,4)` column, `99.9500`. @throws RangeError if it does not fit. */
export function amountFromText(text: string): number {
  if (!amountText.test(text)) throw new RangeError(`${text} is not an amount of money: it ${rule}`);
  return Number(text);
}
