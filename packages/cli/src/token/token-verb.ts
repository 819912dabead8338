import { developmentScopes, DevelopmentIssuer } from '@outbound/development-issuer';
import { InvalidArgumentError } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import type { AddVerb } from '../verb.ts';

interface Options {
  readonly subject: string;
  readonly scope?: readonly string[];
  readonly lifetime: number;
  readonly issuer?: string;
}

/** `outbound token`: an access token of the development issuer, alone on standard output. */
export const addToken: AddVerb = (verb, bind) => {
  verb
    .option('--subject <name>', 'who the caller is', 'developer')
    .option(
      '--scope <scope>',
      `what is granted; again for each (default: everything: ${developmentScopes.join(', ')})`,
      (scope: string, before: readonly string[] = []) => [...before, readScope(scope)],
    )
    .option('--lifetime <seconds>', 'how long it is good, at most 86,400', readLifetime, 3_600)
    .option('--issuer <folder>', "the issuer's keys [OUTBOUND_ISSUER_DIRECTORY]")
    .addHelpText(
      'after',
      `
Examples:
  curl -H "authorization: Bearer $(npm run -s outbound -- token)" http://127.0.0.1:8080/products
  outbound token --subject importer --scope catalog.product.write --lifetime 60`,
    )
    .action(bind(printToken));
};

async function printToken({ settings, output }: CliContext, options: Options): Promise<ExitCode> {
  const folder = options.issuer ?? settings.issuerDirectory;
  if (folder === undefined)
    throw new CliError(
      'SETTING_MISSING',
      'there is no development issuer here: run npm start, or name a folder for its keys with --issuer. The token of another API comes from its own issuer',
      { exitCode: exitCodes.usage },
    );
  const issuer = await DevelopmentIssuer.open(folder);
  const { subject, lifetime: lifetimeSeconds } = options;
  const scopes = options.scope ?? developmentScopes;
  const token = await issuer.token({ subject, scopes, lifetimeSeconds });
  output.answer({ token, subject, scopes, expires_in: lifetimeSeconds }, token);
  return exitCodes.done;
}

/** Source: RFC 6749 3.3. */
function readScope(text: string): string {
  if (/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)) return text;
  throw new InvalidArgumentError('expected one scope, without spaces');
}

function readLifetime(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 86_400) return Number(text);
  throw new InvalidArgumentError('expected a whole number from 1 to 86400');
}
