import { eventually } from './eventually.ts';
import { ServiceProcess } from './service-process.ts';

/** What `/readyz` says. */
export interface ReadyAnswer {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

/** The relay as a process, with its admin port. */
export class RelayProcess extends ServiceProcess {
  constructor(env: Readonly<Record<string, string>>, nodeArgs: readonly string[] = []) {
    super('services/relay/dist/main.js', { RELAY_ADMIN_PORT: '0', ...env }, nodeArgs);
  }

  /** Resolves when the relay says that it is in this state (again, if `times` is more than 1). */
  async reached(state: string, { times = 1, timeoutMs = 60_000 } = {}): Promise<void> {
    await eventually(
      () => {
        const reached = this.logs.filter(
          (line) => line.message === 'state changed' && line['state'] === state,
        ).length;
        if (reached < times && !this.isRunning)
          throw new Error(`the relay ended before it was ${state}: ${this.tail()}`);
        return reached >= times;
      },
      { timeoutMs, intervalMs: 10 },
    );
  }

  /** The sum of a metric over its labels; undefined if it is not there, NaN if the relay says unknown. */
  async metric(name: string, labels = ''): Promise<number | undefined> {
    const text = await this.#get('/metrics');
    const values = text
      .split('\n')
      .filter(
        (line) =>
          (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(labels),
      )
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1).replace('Nan', 'NaN')));
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  }

  async ready(): Promise<ReadyAnswer> {
    return JSON.parse(await this.#get('/readyz')) as ReadyAnswer;
  }

  async #get(path: string): Promise<string> {
    const { port } = (await this.log('listening')) as unknown as { port: number };
    return (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  }
}
