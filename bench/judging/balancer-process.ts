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
const looks = new Map<string, readonly Look[]>();
let last = '';

process.on('message', (news: readonly Member[]) => {
  const before = members;
  members = news;
  tell();
  for (const member of news)
    if (!before.some(({ name }) => name === member.name))
      watch(member).catch((error: unknown) => {
        console.error(error);
        process.exit(1);
      });
});
process.once('disconnect', () => process.exit(0));

/** Asks one member until it is gone; a member that is slow to say how it is must not keep the others from being asked. */
async function watch(member: Member): Promise<void> {
  const { name } = member;
  while (members.some((each) => each.name === name)) {
    looks.set(name, [...(looks.get(name) ?? []), await look(member)].slice(-4));
    tell();
    await delay(pauseMs);
  }
}

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

/** Says who is ready to the balancer, and to the parent if that has changed. */
function tell(): void {
  const backends: readonly Backend[] = members.map((member) => ({
    ...member,
    isReady: isReadyAfter(looks.get(member.name) ?? []),
  }));
  balancer.backends = backends;
  const ready = backends.filter(({ isReady }) => isReady).map(({ name }) => name);
  const news: BalancerNews = { ready, refused: balancer.refused };
  if (JSON.stringify(news) === last) return;
  process.send?.(news);
  last = JSON.stringify(news);
}

process.send?.({ port: await balancer.listen() } satisfies BalancerNews);
