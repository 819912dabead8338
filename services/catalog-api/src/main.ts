import { createLogger, readConfig, redactConfig, runUntilSignal } from '@outbound/service-kit';
import { apiVersion } from './api.ts';
import { apiConfig, configPrefix } from './config.ts';
import { longestStopMs, startService } from './service.ts';

/** Entry point: reads the environment, runs the API until SIGTERM or SIGINT. Exit 2: a setting is wrong. */
function readSettings() {
  try {
    return readConfig(configPrefix, apiConfig, process.env);
  } catch (error) {
    process.stderr.write(
      `catalog-api: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exit(2);
  }
}

const config = readSettings();
const logger = createLogger({ service: 'catalog-api', level: config.logLevel, isBuffered: true });
await runUntilSignal(
  async ({ stopRequested, onClose }) => {
    logger.info({ config: redactConfig(apiConfig, config) }, 'starting');
    const service = await startService(config, logger, apiVersion);
    onClose('service', service.close);
    await stopRequested;
  },
  { logger, deadlineMs: longestStopMs(config) },
);
