import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { PipelineError } from './errors.ts';
import { maskLogins, maskUrlCredentials } from './redact.ts';
import type { SettingMeta } from './setting.ts';

/** The environment as a process has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One setting as the documentation and `.env.example` show it. */
export interface SettingRow {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** Absent if the setting is required, or optional without a default. */
  readonly defaultText?: string;
  readonly secret: boolean;
  readonly unit?: string;
  readonly example?: string;
}

interface Unwrapped {
  readonly meta: SettingMeta & { readonly description?: string };
  readonly required: boolean;
  readonly defaultValue: unknown;
}

/** `RELAY_` and `databaseUrl` give `RELAY_DATABASE_URL`. */
export function settingName(prefix: string, key: string): string {
  return prefix + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/**
 * Gives the settings of one service, parsed and frozen, or names everything that is wrong with them at once.
 * `<NAME>_FILE` names a file that holds the value (its last newline is cut); an empty variable counts as missing; an unknown
 * variable that starts with the prefix is an error, because it is a typo that would silently leave a default in force.
 * A secret's value is in no message.
 * @param options.otherPrefixes longer prefixes that belong to another program: variables with them are not ours to judge.
 * @throws PipelineError CONFIG_INVALID
 */
export function readConfig<Shape extends z.ZodRawShape>(
  prefix: string,
  schema: z.ZodObject<Shape>,
  env: Environment,
  options: { readonly otherPrefixes?: readonly string[] } = {},
): Readonly<z.output<z.ZodObject<Shape>>> {
  const problems: string[] = [];
  const raw: Record<string, string> = {};
  const known = new Set<string>();
  for (const key of Object.keys(schema.shape)) {
    const name = settingName(prefix, key);
    known.add(name).add(`${name}_FILE`);
    const text = readText(name, env, problems);
    if (text !== undefined) raw[key] = text;
  }
  for (const name of Object.keys(env)) {
    const foreign = options.otherPrefixes?.some((other) => name.startsWith(other)) ?? false;
    if (!name.startsWith(prefix) || foreign || known.has(name)) continue;
    const serviceLink = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+)$/.test(name);
    problems.push(
      `${name}: is not a setting; ${serviceLink ? 'Kubernetes injected it: set enableServiceLinks: false on the pod' : 'correct the name or remove it'}`,
    );
  }
  const result = schema.safeParse(raw);
  if (result.success && problems.length === 0) return Object.freeze(result.data);
  for (const issue of result.error?.issues ?? []) {
    const key = String(issue.path[0]);
    const name = settingName(prefix, key);
    if (
      problems.some(
        (problem) => problem.startsWith(`${name}:`) || problem.startsWith(`${name}_FILE:`),
      )
    )
      continue;
    const field = schema.shape[key];
    const value = raw[key];
    if (value === undefined || field === undefined) {
      problems.push(`${name}: is missing; ${describeField(field)}`);
    } else {
      const { meta } = unwrap(field);
      const shown = meta.secret ? 'its value (secret, not shown)' : quote(value);
      problems.push(`${name}: ${shown} is wrong: ${issue.message}`);
    }
  }
  throw new PipelineError(
    'CONFIG_INVALID',
    `${problems.length} wrong ${problems.length === 1 ? 'setting' : 'settings'}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
  );
}

/** The file that a setting's value was read from; undefined where the value itself stands in the environment, or nothing. */
export function settingFile(prefix: string, key: string, env: Environment): string | undefined {
  const file = env[`${settingName(prefix, key)}_FILE`];
  return file === '' ? undefined : file;
}

/** What the documentation needs of every setting, in the order of the schema. */
export function describeConfig(prefix: string, schema: z.ZodObject): readonly SettingRow[] {
  return Object.entries<z.core.$ZodType>(schema.shape).map(([key, field]) => {
    const { meta, required, defaultValue } = unwrap(field);
    return {
      name: settingName(prefix, key),
      description: meta.description ?? '',
      required,
      secret: meta.secret ?? false,
      ...(defaultValue === undefined ? {} : { defaultText: textOf(defaultValue) }),
      ...(meta.unit === undefined ? {} : { unit: meta.unit }),
      ...(meta.example === undefined ? {} : { example: meta.example }),
    };
  });
}

/** The settings as the start-up log may show them: secrets replaced, credentials cut out of URLs. */
export function redactConfig(
  schema: z.ZodObject,
  value: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, field] of Object.entries<z.core.$ZodType>(schema.shape)) {
    const setting = value[key];
    if (setting === undefined) continue;
    if (unwrap(field).meta.secret) shown[key] = '[secret]';
    else shown[key] = typeof setting === 'string' ? maskUrlCredentials(setting) : setting;
  }
  return shown;
}

/** What a file holds as a setting: without its last newline. @throws as `readFileSync` */
export function readSettingFile(file: string): string {
  return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
}

function readText(name: string, env: Environment, problems: string[]): string | undefined {
  const direct = env[name] === '' ? undefined : env[name];
  const file = env[`${name}_FILE`] === '' ? undefined : env[`${name}_FILE`];
  if (file === undefined) return direct;
  if (direct !== undefined) {
    problems.push(`${name}: is set, and so is ${name}_FILE; keep one of them`);
    return undefined;
  }
  try {
    const text = readSettingFile(file);
    if (text !== '') return text;
    problems.push(`${name}_FILE: the file ${file} is empty; put the value into it`);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    problems.push(`${name}_FILE: the file ${file} cannot be read (${reason})`);
  }
  return undefined;
}

/** Metadata may sit on any layer of `z.string().describe(…).default(…)`; the outermost wins. */
function unwrap(field: z.core.$ZodType): Unwrapped {
  let meta: Record<string, unknown> = {};
  let required = true;
  let defaultValue: unknown;
  let layer: z.core.$ZodType | undefined = field;
  while (layer !== undefined) {
    meta = { ...z.globalRegistry.get(layer), ...meta };
    const def: z.core.$ZodTypeDef = layer._zod.def;
    if (def.type === 'default' || def.type === 'prefault') {
      required = false;
      defaultValue = (def as z.core.$ZodDefaultDef).defaultValue;
    }
    if (def.type === 'optional') required = false;
    layer = (def as { innerType?: z.core.$ZodType }).innerType;
  }
  return { meta, required, defaultValue };
}

function describeField(field: z.core.$ZodType | undefined): string {
  if (field === undefined) return 'set it';
  const { meta } = unwrap(field);
  const example = meta.example === undefined ? '' : ` (for example ${meta.example})`;
  return `set it to: ${meta.description ?? 'a value'}${example}`;
}

function quote(value: string): string {
  const shown = value.length > 100 ? `${value.slice(0, 100)}…` : value;
  return JSON.stringify(maskLogins(shown));
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
