import { describe, expect, it } from 'vitest';
import { settingsFile } from './postgres-settings.ts';

describe('the settings of Postgres', () => {
  it('listen on 127.0.0.1 only and allow logical decoding', () => {
    const text = settingsFile(5433, {});
    expect(text).toContain("listen_addresses = '127.0.0.1'\n");
    expect(text).toContain("unix_socket_directories = ''\n");
    expect(text).toContain("wal_level = 'logical'\n");
    expect(text).toContain("port = '5433'\n");
    expect(text).not.toContain('fsync');
  });

  it('give way to settings of the caller, quotes kept', () => {
    const text = settingsFile(1, { wal_sender_timeout: '3s', application_name: "it's" });
    expect(text).toContain("wal_sender_timeout = '3s'\n");
    expect(text).toContain("application_name = 'it''s'\n");
  });

  it('refuse a name that would be more than a name', () => {
    expect(() => settingsFile(1, { 'a = 1\nb': '2' })).toThrow(
      'is not the name of a Postgres setting',
    );
  });
});
