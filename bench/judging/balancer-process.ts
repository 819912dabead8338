import { setTimeout as delay } from 'node:timers/promises';
import { Balancer, isReadyAfter, type Backend, type Look } from './balancer.ts';

/** A process that may be behind the address; what it is at now, its readiness says. */
export interface Member {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
}

/** What the balancer's process says: its port once, then who is ready, whenever that changes. */
export type BalancerNews =
  { readonly port: number } | { readonly ready: readonly string[]; readonly refused: number };

const pauseMs = 100;
const balancer = new Balancer();
let members: readonly Member[] = [];
process.on('message', (news: readonly Member[]) => (members = news));
process.once('disconnect', () => process.exit(0));

async function look({ adminPort }: Member): Promise<Look> {
  try {
    const { ok } = await fetch(`http://127.0.0.1:${adminPort}/readyz`, {
      signal: AbortSignal.timeout(2_000),
    });
    return ok ? 'green' : 'red';
  } catch (error) {
    return (error as Error).name === 'TimeoutError' ? 'silent' : 'red';
  }
}

process.send?.({ port: await balancer.listen() } satisfies BalancerNews);
let last = '';
const looks = new Map<string, readonly Look[]>();
for (;;) {
  const backends: readonly Backend[] = await Promise.all(
    members.map(async (member) => {
      const lately = [...(looks.get(member.name) ?? []), await look(member)].slice(-4);
      looks.set(member.name, lately);
      return { ...member, isReady: isReadyAfter(lately) };
    }),
  );
  balancer.backends = backends;
  const ready = backends.filter((each) => each.isReady).map(({ name }) => name);
  const news: BalancerNews = { ready, refused: balancer.refused };
  if (JSON.stringify(news) !== last) process.send?.(news);
  last = JSON.stringify(news);
  await delay(pauseMs);
}
