import pg from 'pg';

/** One statement, as the server carried it out. */
export interface Explained {
  readonly text: string;
  /** Rows that were taken from tables and indexes, whatever became of them. */
  readonly rowsRead: number;
  /** Pages of 8 KiB that were touched. */
  readonly pages: number;
  readonly milliseconds: number;
  /** Indexes that were used, and `Seq Scan on …`, in the order of the plan. */
  readonly scans: readonly string[];
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

type Run = (...given: unknown[]) => Promise<unknown>;

/** A pool whose reads, in transactions too, are explained as they are carried out, once more, for a test or a benchmark to look at. */
export class ExplainingPool extends pg.Pool {
  readonly explained: Explained[] = [];

  constructor(config: pg.PoolConfig) {
    super(config);
    this.on('connect', (client) => {
      const run = client.query.bind(client) as Run;
      const query: Run = async (...args) => {
        const [config, values] = args as [string | { text: string }, unknown];
        const text = typeof config === 'string' ? config : config.text;
        if (isRead(text)) await this.#explain(run, text, Array.isArray(values) ? values : []);
        return run(...args);
      };
      Object.assign(client, { query });
    });
  }

  async #explain(run: Run, text: string, values: readonly unknown[]): Promise<void> {
    const { rows } = (await run(
      `explain (analyze, buffers, timing off, format json) ${text}`,
      values,
    )) as { rows: Record<string, unknown>[] };
    // As text: the database's connections do not parse JSON.
    const plan = Object.values(rows[0] ?? {})[0];
    const [top] = JSON.parse(String(plan)) as { Plan: PlanNode; 'Execution Time': number }[];
    if (top === undefined) throw new Error('no plan came back');
    const nodes = flatten(top.Plan);
    this.explained.push({
      text,
      rowsRead: nodes.filter(isScan).reduce((sum, node) => sum + rowsOf(node), 0),
      pages: top.Plan['Shared Hit Blocks'] + top.Plan['Shared Read Blocks'],
      milliseconds: top['Execution Time'],
      scans: nodes.flatMap((node) => {
        if (node['Index Name'] !== undefined) return [node['Index Name']];
        const isWhole = node['Node Type'] === 'Seq Scan';
        return isWhole ? [`Seq Scan on ${node['Relation Name']}`] : [];
      }),
    });
  }
}

/** Not what changes something: to explain it is to do it. */
function isRead(text: string): boolean {
  return /^\s*(select|with)\b/i.test(text) && !/\b(insert|delete|update)\b/i.test(text);
}

function flatten(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

/** What takes rows from where they lie, and is not fed by another node that does. */
function isScan({ 'Node Type': type }: PlanNode): boolean {
  return /Scan$/.test(type) && !/^(Subquery|CTE|WorkTable|Bitmap Index) Scan$/.test(type);
}

function rowsOf(node: PlanNode): number {
  const each =
    node['Actual Rows'] +
    (node['Rows Removed by Filter'] ?? 0) +
    (node['Rows Removed by Index Recheck'] ?? 0);
  return Math.round(each * node['Actual Loops']);
}
