import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { checkedIn, generatedFiles, generatedText } from './generated-files.ts';

/** `npm run generate`: rewrites every generated file that differs. */
for (const file of generatedFiles) {
  const text = await generatedText(file);
  if (text === checkedIn(file.path)) continue;
  mkdirSync(dirname(file.path), { recursive: true });
  writeFileSync(file.path, text);
  console.log(`wrote ${file.path}`);
}
