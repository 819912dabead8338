import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startProgram, type Program } from '@outbound/local-stack';
import { documentedFile } from './documented.ts';

const script = 'test/outsiders/python/group_member.py';

/** What a member says that it has done for one event. */
export interface Effect {
  readonly eid: string;
  readonly key: string;
  readonly version: number;
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
}

/** The page's Python program as one member of a consumer group. */
export interface GroupMember extends AsyncDisposable {
  /** In the order in which it did them. @throws Error with what it wrote, if that is not only its assignments: then it has failed. */
  effects(): Promise<Effect[]>;
  /** The partitions that it reads now. */
  assigned(): Promise<number[]>;
  /** SIGTERM, after which it leaves the group. */
  end(): Promise<void>;
}

/** Starts a member. @param python with confluent-kafka. */
export async function startGroupMember(
  python: string,
  member: { bootstrap: string; group: string; topic: string },
): Promise<GroupMember> {
  documentedFile(script);
  const program: Program = await startProgram({
    what: `Python member of ${member.group}`,
    command: (folder) => [
      python,
      resolve(script),
      member.bootstrap,
      member.group,
      member.topic,
      join(folder, 'effects'),
    ],
    env: { PYTHONUTF8: '1' },
  });
  const lines = async (file: string): Promise<string[]> => {
    const text = await readFile(join(program.folder, file), 'utf8').catch(() => '');
    // The last line may be half written.
    return text.split('\n').slice(0, -1);
  };
  const own = async (): Promise<number[]> => {
    const partitions = new Set<number>();
    for (const line of await lines('output.log')) {
      const [word, ...numbers] = line.split(' ');
      if (word !== 'assigned' && word !== 'revoked')
        throw new Error(`the Python member says: ${await program.output()}`);
      for (const number of numbers.map(Number))
        if (word === 'assigned') partitions.add(number);
        else partitions.delete(number);
    }
    return [...partitions].sort();
  };
  return {
    effects: async () => {
      await own();
      return (await lines('effects')).map((line) => JSON.parse(line) as Effect);
    },
    assigned: own,
    end: async () => program.end(),
    [Symbol.asyncDispose]: async () => program.close(),
  };
}
