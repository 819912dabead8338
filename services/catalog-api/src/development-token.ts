import { parseArgs } from 'node:util';
import { DevelopmentIssuer } from '@outbound/development-issuer';

/**
 * Entry point of the issuer of docker-compose.yml: `development-token.js FOLDER` prints a token that the catalog of that folder's keys takes, `--keys-only` makes
 * the keys if there are none and prints nothing. Where a real issuer is set, its tokens are worth nothing. Exit 2: the command line is wrong.
 */
const usage =
  'usage: development-token.js FOLDER [--keys-only] [--subject NAME] [--scope SCOPE]... [--lifetime SECONDS]\n';

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        'keys-only': { type: 'boolean', default: false },
        subject: { type: 'string' },
        scope: { type: 'string', multiple: true },
        lifetime: { type: 'string', default: '3600' },
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}

const { values, positionals } = readArguments();
const [folder] = positionals;
if (folder === undefined || !/^[1-9]\d{0,4}$/.test(values.lifetime)) {
  process.stderr.write(usage);
  process.exit(2);
}
const issuer = await DevelopmentIssuer.open(folder);
if (!values['keys-only']) {
  const token = await issuer.token({
    subject: values.subject,
    scopes: values.scope,
    lifetimeSeconds: Number(values.lifetime),
  });
  process.stdout.write(`${token}\n`);
}
