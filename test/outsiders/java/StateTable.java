import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/** A compacted topic as a KTable: the current value of every key, deleted ones gone, written to a file whenever it can be read. */
public final class StateTable {
  public static void main(String[] args) throws Exception {
    String bootstrap = args[0], application = args[1], topic = args[2];
    Path stateFolder = Path.of(args[3]), file = Path.of(args[4]);

    Properties config = new Properties();
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
    config.put(StreamsConfig.STATE_DIR_CONFIG, stateFolder.toString());
    // The topic is compacted and complete, so it is its own changelog: no second copy of it in Kafka.
    config.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);

    StreamsBuilder builder = new StreamsBuilder();
    builder.table(
        topic,
        Materialized.<String, byte[], KeyValueStore<Bytes, byte[]>>as("state")
            .withKeySerde(Serdes.String())
            .withValueSerde(Serdes.ByteArray()));

    try (KafkaStreams streams = new KafkaStreams(builder.build(config), config)) {
      Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
      streams.start();
      while (!streams.state().hasCompletedShutdown()) {
        Thread.sleep(100);
        try {
          write(streams, file);
        } catch (InvalidStateStoreException notYet) {
          // Starting or rebalancing: there is nothing to be read for the moment.
        }
      }
      System.exit(1);
    }
  }

  /** One line for each key: the value, which has no line breaks of its own. Complete or not there. */
  private static void write(KafkaStreams streams, Path file) throws IOException {
    var store =
        streams.store(
            StoreQueryParameters.fromNameAndType(
                "state", QueryableStoreTypes.<String, byte[]>keyValueStore()));
    StringBuilder lines = new StringBuilder();
    try (var all = store.all()) {
      all.forEachRemaining(
          entry -> lines.append(new String(entry.value, StandardCharsets.UTF_8)).append('\n'));
    }
    Path draft = file.resolveSibling(file.getFileName() + ".draft");
    Files.writeString(draft, lines);
    Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
  }
}
