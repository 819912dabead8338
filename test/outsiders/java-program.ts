import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cached, jarSetClassPath, type JarSet } from '@outbound/local-stack';

/** Eclipse's compiler: a plain jar, so that a Java runtime without javac is enough. */
const compiler: JarSet = {
  name: 'ecj-3.40.0',
  what: "Eclipse's Java compiler 3.40.0",
  artifacts: [['org.eclipse.jdt', 'ecj', '3.40.0']],
};

/** Gives Java programs a log on their output: warnings, without their settings. */
export const slf4jBinding = ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.4'] as const;

/** Log settings of the Java programs. */
export const log4jProperties = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
`;

/** Options of a JVM that is to start fast and stay small. */
export const smallJvm = [
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
] as const;

/**
 * The class path of a Java source and its jars; compiled once for each content.
 * @param source path from the root of the repository; its class has its name.
 * @throws Error with what the compiler says.
 */
export async function javaClassPath(source: string, jars: JarSet): Promise<string> {
  const jarPath = await jarSetClassPath(jars);
  const id = createHash('sha256')
    .update(JSON.stringify([readFileSync(source, 'utf8'), jarPath, compiler.name]))
    .digest('hex')
    .slice(0, 8);
  const classes = await cached(`java-${basename(source, '.java')}-${id}`, async (draft) => {
    const ecj = [
      '-cp',
      await jarSetClassPath(compiler),
      'org.eclipse.jdt.internal.compiler.batch.Main',
    ];
    const options = ['-17', '-proc:none', '-cp', jarPath, '-d', draft];
    await promisify(execFile)('java', [...smallJvm, ...ecj, ...options, resolve(source)]).catch(
      (error: unknown) => {
        throw new Error(`${source} does not compile: ${String(error)}`, { cause: error });
      },
    );
  });
  return `${classes}:${jarPath}`;
}
