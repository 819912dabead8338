/** Brokers write what happens, without the hundreds of lines that repeat their settings. */
export const brokerLogging = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
logger.config.name = kafka.server.KafkaConfig
logger.config.level = warn
logger.clientconfig.name = org.apache.kafka.common.config.AbstractConfig
logger.clientconfig.level = warn
`;

/** Tools write warnings to standard error, so that their standard output is their answer alone. */
export const toolLogging = `status = error
appender.err.type = Console
appender.err.name = err
appender.err.target = SYSTEM_ERR
appender.err.layout.type = PatternLayout
appender.err.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.err.ref = err
`;
