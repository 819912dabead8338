import { describe, expect, it } from 'vitest';
import { decideForm, parseForm, type Prerequisites } from './stack-form.ts';

const all: Prerequisites = { javaMajor: 17, jarsCached: false, maven: true, docker: true };

describe('the form of the stack', () => {
  it('is processes wherever Java 17 and Kafka are to be had', () => {
    expect(decideForm(undefined, all)).toBe('processes');
    expect(decideForm(undefined, { ...all, javaMajor: 25, maven: false, jarsCached: true })).toBe(
      'processes',
    );
    expect(decideForm(undefined, { ...all, docker: false })).toBe('processes');
  });

  it.each([
    ['Java is missing', { javaMajor: undefined }],
    ['Java is too old', { javaMajor: 11 }],
    ['Maven is missing and no jar is cached', { maven: false }],
  ])('is containers where %s and a Docker engine answers', (_why, lack) => {
    expect(decideForm(undefined, { ...all, ...lack })).toBe('containers');
  });

  it('is the one that was asked for, even where the other would be chosen', () => {
    expect(decideForm('containers', all)).toBe('containers');
    expect(decideForm('processes', all)).toBe('processes');
  });

  it.each<[string, Partial<Prerequisites>, string]>([
    [
      'there is neither Java nor Docker',
      { javaMajor: undefined, docker: false },
      'Kafka needs Java and none was found on PATH or in JAVA_HOME, and no Docker engine answers either: install Java 17 or newer (apt-get install openjdk-17-jre-headless), or start a Docker engine and set OUTBOUND_STACK=containers',
    ],
    [
      'there is an old Java and neither Maven nor Docker',
      { javaMajor: 11, maven: false, docker: false },
      'Kafka needs Java 17+ and this is Java 11, and no Docker engine answers either: install Java 17 or newer (apt-get install openjdk-17-jre-headless) and install Maven (apt-get install maven), or start a Docker engine and set OUTBOUND_STACK=containers',
    ],
    [
      'there is neither Maven nor Docker',
      { maven: false, docker: false },
      "Kafka's jars are fetched once with Maven and there is no mvn on PATH, and no Docker engine answers either: install Maven (apt-get install maven), or start a Docker engine and set OUTBOUND_STACK=containers",
    ],
  ])('is refused with both cures where %s', (_why, lack, message) => {
    expect(() => decideForm(undefined, { ...all, ...lack })).toThrow(message);
  });

  it('is refused when it was asked for and cannot be had, rather than swapped for the other', () => {
    expect(() => decideForm('processes', { ...all, javaMajor: 11 })).toThrow(
      'needs Java 17+ and this is Java 11',
    );
    expect(() => decideForm('containers', { ...all, docker: false })).toThrow(
      'needs a Docker engine and none answers',
    );
  });

  it('is read from the environment, where an unknown word is refused', () => {
    expect(parseForm(undefined)).toBeUndefined();
    expect(parseForm('')).toBeUndefined();
    expect(parseForm('containers')).toBe('containers');
    expect(() => parseForm('docker')).toThrow(
      'OUTBOUND_STACK=docker is not known: set it to processes or containers',
    );
  });
});
