import type { Logger } from '@outbound/service-kit';
import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
} from 'jose';
import { readJwks } from './jwks.ts';
import { keysUnavailable } from './refusals.ts';

/** How the issuer's keys are kept. Times in milliseconds. */
export interface SigningKeysOptions {
  /** The text of the key set; rejects if it cannot be had. */
  readonly read: () => Promise<string>;
  /** How long keys are used that could not be read again. */
  readonly keptMs: number;
  /** Keys older than this are read again, behind the requests. Defaults to 5 minutes; less than `keptMs`. */
  readonly refreshMs?: number;
  /** Least time from one reading to the next: unknown kids are free to make, and must not become a flood on the issuer. Defaults to 5 s. */
  readonly cooldownMs?: number;
  /** A clock that is never set back. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

interface KeySet {
  readonly find: (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;
  readonly text: string;
  readonly readMs: number;
}

/**
 * The issuer's public keys: read when they are first needed, again every few minutes, and at once when a token names a key that is not among
 * them (a rotation), though not more often than the cool-down. While the issuer does not answer, the last keys are used for a bounded time; then, and wherever
 * only the issuer could tell whether a key exists, the answer is 503 and not 401: a good token must not be thrown away.
 */
export class SigningKeys {
  readonly #options: Required<SigningKeysOptions>;
  #set: KeySet | undefined;
  #reading: Promise<void> | undefined;
  #lastTryMs = -Infinity;
  #lastFault: unknown;
  #generation = 0;

  constructor(options: SigningKeysOptions) {
    this.#options = { refreshMs: 300_000, cooldownMs: 5_000, ...options };
  }

  /** Rises whenever the set of keys has changed: what was verified before may be signed with a key that was withdrawn. */
  get generation(): number {
    return this.#generation;
  }

  /** Seconds since the keys were read; NaN if none are there. */
  get ageSeconds(): number {
    return this.#set === undefined ? NaN : (this.#options.nowMs() - this.#set.readMs) / 1_000;
  }

  /** True while there are keys that may be used. Old ones are read again behind it. */
  isUsable(): boolean {
    const age = this.#ageMs();
    if (age > Math.min(this.#options.refreshMs, this.#options.keptMs / 2)) this.#readBehind();
    return age <= this.#options.keptMs;
  }

  /** Reads the keys now, or joins a reading under way; resolves in any case, and gives the reason if there are no keys to use. */
  async refresh(): Promise<unknown> {
    await (this.#reading ??= this.#read().finally(() => (this.#reading = undefined)));
    return this.#ageMs() <= this.#options.keptMs ? undefined : this.#lastFault;
  }

  /**
   * The key that a token says it was signed with. For `jwtVerify`.
   * @throws ApiError KEYS_UNAVAILABLE; errors of jose if there is no such key.
   */
  async keyFor(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (!this.isUsable()) await this.#readUnlessJustTried();
    if (this.#set === undefined || !this.isUsable()) throw keysUnavailable(this.#lastFault);
    const { find, readMs } = this.#set;
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#readUnlessJustTried();
      if (this.#lastFault !== undefined) throw keysUnavailable(this.#lastFault);
      if (this.#set.readMs === readMs) throw error;
      return this.#set.find(header, token);
    }
  }

  #ageMs(): number {
    return this.#set === undefined ? Infinity : this.#options.nowMs() - this.#set.readMs;
  }

  async #readUnlessJustTried(): Promise<void> {
    const { nowMs, cooldownMs } = this.#options;
    if (this.#reading !== undefined || nowMs() - this.#lastTryMs >= cooldownMs)
      await this.refresh();
  }

  #readBehind(): void {
    // #read keeps its faults to itself.
    this.#readUnlessJustTried().catch(() => undefined);
  }

  /** Never rejects: what went wrong is kept for those who ask for keys that are not there. */
  async #read(): Promise<void> {
    const { read, nowMs, logger } = this.#options;
    const log = logger.child({ component: 'auth' });
    const startedMs = nowMs();
    this.#lastTryMs = startedMs;
    try {
      const text = await read();
      if (text !== this.#set?.text) {
        const { keys, refused } = readJwks(text);
        for (const { kid, why } of refused)
          log.error({ kid, reason: why }, 'a key of the token issuer is not used');
        log.info({ kids: keys.map(({ kid }) => kid ?? 'without kid') }, 'token keys read');
        this.#set = { find: createLocalJWKSet({ keys: [...keys] }), text, readMs: startedMs };
        this.#generation += 1;
      } else this.#set = { ...this.#set, readMs: startedMs };
      this.#lastFault = undefined;
    } catch (error) {
      if (this.#lastFault === undefined)
        log.warn(
          { reason: (error as Error).message, keysAgeSeconds: this.ageSeconds },
          'token keys cannot be read',
        );
      this.#lastFault = error;
    }
  }
}
