import { rm } from 'node:fs/promises';
import { holderOf, holderText } from './claim.ts';
import { dataDirectory } from './data-directory.ts';

/** `npm run reset`: removes what `npm start` keeps, and nothing else. Refuses while a stack runs in it (exit code 1). */
const dataDir = dataDirectory(process.env['OUTBOUND_DATA_DIR']);
const holder = await holderOf(dataDir);
if (!holder) {
  await rm(dataDir, { recursive: true, force: true });
  console.log(`${dataDir} is removed: npm start begins anew`);
} else {
  console.error(
    `${dataDir} is in use (${holderText(holder)}): stop that with Ctrl-C in its terminal, then run npm run reset again`,
  );
  process.exitCode = 1;
}
