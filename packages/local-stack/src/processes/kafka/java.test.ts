import { describe, expect, it } from 'vitest';
import { findJava, javaMajor } from './java.ts';

describe('the Java version', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "21-ea" 2023-09-19', 21],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "11" 2018-09-25', 11],
    ['no java here', undefined],
  ])('of %s is %s', (text, major) => {
    expect(javaMajor(text)).toBe(major);
  });

  it('is not found where there is no Java', async () => {
    expect(await findJava({ PATH: '/nowhere', JAVA_HOME: '/nowhere' })).toBeUndefined();
  });
});
