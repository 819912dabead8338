import { eventually } from './eventually.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import type { RelayProcess } from './relay-process.ts';
import type { TestPipeline } from './test-pipeline.ts';

/**
 * How the active relay goes. `hang`: it stands still and its connections stay open (SIGSTOP). `cut-off`: its way to Postgres is gone, and nobody
 * tells either end; it goes on and has Kafka.
 */
export type Ending = 'kill' | 'terminate' | 'hang' | 'cut-off';

interface Member {
  readonly relay: RelayProcess;
  readonly proxy: FaultProxy;
}

/** Two relays of one pipeline, one active and one standby, each on a way of its own to Postgres. Somebody else has to write meanwhile. */
export class RelayPair implements AsyncDisposable {
  readonly #pipeline: TestPipeline;
  readonly #env: Readonly<Record<string, string>>;
  readonly #members: Member[] = [];

  private constructor(pipeline: TestPipeline, env: Readonly<Record<string, string>>) {
    this.#pipeline = pipeline;
    this.#env = env;
  }

  /** Comes back when one streams and the other is a standby. */
  static async start(
    pipeline: TestPipeline,
    env: Readonly<Record<string, string>> = {},
  ): Promise<RelayPair> {
    const pair = new RelayPair(pipeline, env);
    const active = await pair.#launch();
    await active.relay.reached('streaming');
    await pair.#launch();
    await pair.#untilStandby(pair.standby);
    return pair;
  }

  get active(): RelayProcess {
    return this.#member(0).relay;
  }

  get standby(): RelayProcess {
    return this.#member(1).relay;
  }

  /**
   * Ends the active relay so, lets the standby publish `records`, and then brings the old one back as the standby: a new process after its end,
   * the same one where it wakes up. @returns ms from the ending to the first record that the standby had confirmed by Kafka.
   * @throws Error if the standby does not take over within `timeoutMs`, or the old one is no standby after it came back.
   */
  async takeOver(how: Ending, { records = 1, timeoutMs = 60_000 } = {}): Promise<number> {
    const old = this.#member(0);
    const next = this.#member(1);
    const before = await published(next.relay);
    const beginMs = performance.now();
    if (how === 'kill') await old.relay.kill();
    else if (how === 'hang') old.relay.pause();
    else if (how === 'cut-off') old.proxy.set({ mode: 'blackhole' });
    // Its drain counts too.
    const terminated = how === 'terminate' ? old.relay.terminate() : undefined;
    await untilPublished(next.relay, before + 1, timeoutMs);
    const ms = performance.now() - beginMs;
    await untilPublished(next.relay, before + records, timeoutMs);
    await terminated;
    this.#members.reverse();
    if (how === 'hang') old.relay.resume();
    else if (how === 'cut-off') old.proxy.heal();
    else {
      this.#members.pop();
      await old.proxy.close();
      await this.#launch();
    }
    await this.#untilStandby(this.standby);
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { relay, proxy } of this.#members) {
      await relay[Symbol.asyncDispose]();
      await proxy.close();
    }
  }

  #member(index: number): Member {
    const member = this.#members[index];
    if (!member) throw new Error(`the pair has no member ${index}`);
    return member;
  }

  async #launch(): Promise<Member> {
    const url = new URL(this.#pipeline.relayEnv['RELAY_DATABASE_URL'] ?? '');
    const proxy = await startFaultProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    const relay = this.#pipeline.launchRelay({ ...this.#env, RELAY_DATABASE_URL: url.href });
    const member = { relay, proxy };
    this.#members.push(member);
    return member;
  }

  async #untilStandby(relay: RelayProcess): Promise<void> {
    await eventually(
      async () => {
        if (!relay.isRunning) throw new Error(`the relay ended: ${relay.tail()}`);
        const { checks } = await relay.ready();
        return checks['relay']?.ok === true && checks['relay'].detail?.startsWith('standby');
      },
      { timeoutMs: 60_000 },
    );
  }
}

/** Records that Kafka has confirmed to this relay. */
async function published(relay: RelayProcess): Promise<number> {
  return (await relay.metric('relay_records_published_total')) ?? 0;
}

async function untilPublished(relay: RelayProcess, count: number, timeoutMs: number) {
  await eventually(async () => (await published(relay)) >= count, { timeoutMs, intervalMs: 5 });
}
