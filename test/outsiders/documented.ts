import { readFileSync } from 'node:fs';

const page = 'docs/consumers/other-clients.md';

/** Where a test's Kafka is, in place of what the page says. */
export interface Here {
  readonly bootstrap: string;
  readonly topicPrefix: string;
}

/**
 * A command of the page for other clients, as a test runs it: the line of a shell block under the comment `# title`, so that what the page says is what was run.
 * @throws Error if the page has no such command.
 */
export function documentedCommand(title: string, here: Here): string {
  const command = readFileSync(page, 'utf8')
    .split(`\n# ${title}\n`)[1]
    ?.split(/(?<!\\)\n/)[0];
  if (command === undefined) throw new Error(`${page} has no command "# ${title}"`);
  return placed(command.replaceAll('\\\n', ' '), here);
}

/** A file of ours as the page prints it. @throws Error if the page prints it otherwise. */
export function documentedFile(path: string): string {
  const text = readFileSync(path, 'utf8');
  if (!readFileSync(page, 'utf8').includes(text))
    throw new Error(`${page} does not print ${path} as it is: copy it there`);
  return text;
}

/** The first block of the page in this language. @throws Error if it has none. */
export function documentedBlock(language: string): string {
  const block = readFileSync(page, 'utf8').split(`\n\`\`\`${language}\n`)[1]?.split('\n```\n')[0];
  if (block === undefined) throw new Error(`${page} has no block of ${language}`);
  return block;
}

/** Text of the page with the addresses and topics of a test. */
function placed(text: string, { bootstrap, topicPrefix }: Here): string {
  return text
    .replaceAll('localhost:9092', bootstrap)
    .replaceAll(/\bcatalog\.(product|category)/g, `${topicPrefix}catalog.$1`);
}
