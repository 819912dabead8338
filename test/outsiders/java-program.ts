import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cached, findJava, jarSetClassPath, type JarSet } from '@outbound/local-stack';

/** Eclipse's compiler: a plain jar, so that a Java runtime without javac is enough. */
const compiler: JarSet = {
  name: 'ecj-3.40.0',
  what: "Eclipse's Java compiler 3.40.0",
  artifacts: [['org.eclipse.jdt', 'ecj', '3.40.0']],
};

/** What a Java program needs to write a log. */
export const slf4jBinding = ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.4'] as const;

const log4jProperties = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
`;

/**
 * The beginning of a command line of a small JVM that starts fast and keeps its temporary files in `folder`; what follows is the class path's option.
 * @throws Error with the remedy where there is no Java.
 */
async function javaCommand(folder: string): Promise<[string, ...string[]]> {
  const java = await findJava();
  if (java === undefined)
    throw new Error('Java is not installed: apt-get install openjdk-17-jre-headless');
  const options = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
  return [java.command, ...options, `-Djava.io.tmpdir=${folder}`];
}

/** The same with a log on its output: warnings only. */
export async function loggingJavaCommand(folder: string): Promise<[string, ...string[]]> {
  const file = join(folder, 'log4j2.properties');
  await writeFile(file, log4jProperties);
  return [...(await javaCommand(folder)), `-Dlog4j2.configurationFile=${file}`];
}

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
    const [java, ...jvm] = await javaCommand(draft);
    await promisify(execFile)(java, [...jvm, ...ecj, ...options, resolve(source)]).catch(
      (error: unknown) => {
        throw new Error(`${source} does not compile: ${String(error)}`, { cause: error });
      },
    );
  });
  return `${classes}:${jarPath}`;
}
