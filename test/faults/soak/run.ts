import { appendFileSync } from 'node:fs';
import buildServices from '../../support/build-services.ts';
import { startTestStack } from '../../support/test-stack.ts';
import { soak } from './soak.ts';
import { soakKafka } from './soak-kafka.ts';
import { help, soakOptions, type SoakOptions } from './soak-options.ts';

function asked(): SoakOptions {
  try {
    return soakOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${help}`);
    process.exit(2);
  }
}

const { minutes, json, isHelp, ...options } = asked();
if (isHelp) {
  console.log(help);
  process.exit(0);
}
const seed = options.seed ?? Date.now() % 1_000_000;
const again = `npm run soak -- --minutes ${minutes} --seed ${seed}`;
console.log(`soak of ${minutes} minutes, seed ${seed} (${again})`);
buildServices();
{
  await using stack = await startTestStack({ kafka: soakKafka });
  const { broken, faults, ...figures } = await soak(stack, { seed, minutes, say: console.log });
  if (json !== undefined)
    appendFileSync(json, `${JSON.stringify({ ...figures, faults, broken })}\n`);
  console.log(
    `faults: ${Object.entries(faults)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')}`,
  );
  console.log(
    Object.entries(figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(' | '),
  );
  for (const sentence of broken) console.log(`BROKEN ${sentence}`);
  console.log(broken.length === 0 ? 'every promise held' : `again: ${again}`);
  process.exitCode = broken.length > 0 ? 1 : 0;
}
// As the matrix does: what a fault left open must not keep the command.
process.exit();
