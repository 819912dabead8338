import type { StopMode } from './postgres-server.ts';

/** The signal for each way to stop. Source: Postgres, "Shutting Down the Server". */
export const stopSignal = {
  smart: 'SIGTERM',
  fast: 'SIGINT',
  immediate: 'SIGQUIT',
} as const satisfies Record<StopMode, string>;

/** Durable as in production (kill tests need that); logical decoding on; nothing outside 127.0.0.1 and the data folder. */
export const defaultSettings: Readonly<Record<string, string>> = {
  wal_level: 'logical',
  max_wal_senders: '20',
  max_replication_slots: '20',
  max_connections: '200',
  shared_buffers: '128MB',
  huge_pages: 'off',
  // Segments in the data folder, so that nothing stays in /dev/shm after a SIGKILL.
  dynamic_shared_memory_type: 'mmap',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  log_line_prefix: '%m [%p] %q%u@%d %a ',
};

/**
 * The text of the configuration file that `postgresql.conf` includes. A file and not the command line, because what stands there
 * could not be changed by ALTER SYSTEM.
 */
export function settingsFile(port: number, settings: Readonly<Record<string, string>>): string {
  const all = {
    ...defaultSettings,
    ...settings,
    listen_addresses: settings['listen_addresses'] ?? '127.0.0.1',
    unix_socket_directories: settings['unix_socket_directories'] ?? '',
    port: String(port),
  };
  return Object.entries(all)
    .map(([name, value]) => `${settingName(name)} = '${value.replaceAll("'", "''")}'\n`)
    .join('');
}

function settingName(name: string): string {
  if (!/^[a-z_][a-z0-9_.]*$/i.test(name))
    throw new TypeError(`"${name}" is not the name of a Postgres setting`);
  return name;
}
