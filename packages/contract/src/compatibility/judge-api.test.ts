import { describe, expect, it } from 'vitest';
import { judgeApi } from './judge-api.ts';

const api = (version: string, paths: object, title = 'T') => ({ info: { version, title }, paths });
const one = { '/a': { get: { responses: {} } } };
const two = { ...one, '/b': { get: { responses: {} } } };

describe('an API beside its releases', () => {
  it.each([
    ['nothing changed', api('1.0.0', one), []],
    [
      'an addition without a version',
      api('1.0.0', two),
      ['get /b: the operation is new', 'these are MINOR changes since 1.0.0: say version 1.1.0'],
    ],
    [
      'other words without a version',
      api('1.0.0', one, 'U'),
      ['the document: words changed', 'these are PATCH changes since 1.0.0: say version 1.0.1'],
    ],
    [
      'an addition with its version',
      api('1.1.0', two),
      ['version 1.1.0 is not released: run `npm run release-api`'],
    ],
    [
      'a break, whatever its version says',
      api('2.0.0', {}),
      [
        'get /a: the operation is gone',
        'these break callers: add beside what there is (rules 106, 113, 114)',
      ],
    ],
    ['an older version', api('0.9.0', one), ['version 0.9.0 is older than the release 1.0.0']],
  ])('%s', (_name, declared, problems) => {
    expect(judgeApi(declared, [api('0.1.0', {}), api('1.0.0', one)])).toEqual(problems);
  });

  it('has to be released', () => {
    expect(judgeApi(api('1.0.0', one), [])).toEqual([
      'version 1.0.0 is not released: run `npm run release-api`',
    ]);
  });
});
