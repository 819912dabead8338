import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documentedBlock, documentedCommand, documentedFile } from './documented.ts';

describe('the page for other clients', () => {
  const files = ['connect', 'java', 'python'].flatMap((folder) =>
    readdirSync(`test/outsiders/${folder}`).map((name) => `test/outsiders/${folder}/${name}`),
  );

  it.each(files)('prints %s as it is tested', (file) => {
    expect(documentedFile(file)).not.toBe('');
  });

  it('gives its commands to the tests with the addresses and topics of the test', () => {
    const here = { bootstrap: '127.0.0.1:1234', topicPrefix: 't1.' };
    expect(documentedCommand('kcat: the compacted topic as JSON, for a program', here)).toBe(
      'kcat -b 127.0.0.1:1234 -C -t t1.catalog.product -o beginning -e -q -J',
    );
    const joined = documentedCommand(
      'console consumer: partition, offset, headers, key and value',
      here,
    );
    expect(joined).toMatch(/--from-beginning +--formatter-property[^\n]*print\.key=true$/);
  });

  it('has no command, file or block that a test made up', () => {
    const here = { bootstrap: 'b', topicPrefix: '' };
    expect(() => documentedCommand('unheard of', here)).toThrow('has no command "# unheard of"');
    expect(() => documentedFile('package.json')).toThrow('copy it there');
    expect(() => documentedBlock('cobol')).toThrow('has no block of cobol');
  });
});
