import { startFaultProxy, type FaultProxy } from '../../support/fault-proxy.ts';
import type { RelayProcess } from '../../support/relay-process.ts';
import type { TestPipeline } from '../../support/test-pipeline.ts';

/** Until a process runs our code: seconds on a busy machine. */
const startLimitMs = 60_000;

/** A relay with a way of its own to Postgres. */
export interface CrewMember {
  relay: RelayProcess;
  readonly proxy: FaultProxy;
}

/** Two relays of one pipeline, whichever of them is active, and what a supervisor does: who ended is started again. */
export class RelayCrew implements AsyncDisposable {
  readonly members: CrewMember[] = [];
  /** Ends that nobody asked for: a relay must not end under faults that heal. */
  readonly ownEnds: string[] = [];
  peakBytes = 0;
  readonly #pipeline: TestPipeline;

  private constructor(pipeline: TestPipeline) {
    this.#pipeline = pipeline;
  }

  static async start(pipeline: TestPipeline): Promise<RelayCrew> {
    const crew = new RelayCrew(pipeline);
    for (let n = 0; n < 2; n += 1) {
      const proxy = await startFaultProxy({ port: pipeline.stack.postgres.port });
      crew.members.push({ proxy, relay: crew.#launch(proxy) });
    }
    return crew;
  }

  /** Ends a relay so, and starts another in its place. */
  async replace(member: CrewMember, how: 'kill' | 'terminate'): Promise<void> {
    this.measure();
    // A process that has not begun to run our code dies of the signal, and shows nothing of how a relay stops.
    if (how === 'terminate') await member.relay.log('starting', undefined, startLimitMs);
    const exit = await member.relay[how]();
    if (how === 'terminate' && exit.code !== 0)
      this.ownEnds.push(`a relay that was asked to stop ended with ${exit.code ?? exit.signal}`);
    member.relay = this.#launch(member.proxy);
  }

  /** Notes the memory of each, and starts those again that ended by themselves. */
  measure(): void {
    for (const member of this.members) {
      if (member.relay.isRunning)
        this.peakBytes = Math.max(this.peakBytes, member.relay.memory().peakBytes);
      else {
        this.ownEnds.push(`a relay ended by itself: ${member.relay.tail()}`);
        member.relay = this.#launch(member.proxy);
      }
    }
  }

  #launch({ host, port }: FaultProxy): RelayProcess {
    const url = new URL(this.#pipeline.relayEnv['RELAY_DATABASE_URL'] ?? '');
    url.host = `${host}:${port}`;
    return this.#pipeline.launchRelay({ RELAY_DATABASE_URL: url.href });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { relay, proxy } of this.members) {
      await relay[Symbol.asyncDispose]();
      await proxy.close();
    }
  }
}
