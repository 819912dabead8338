import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of a group with members of other makers: prints when it gets partitions and when it gives them up. */
public final class SharingMember implements ConsumerRebalanceListener {
  public static void main(String[] args) throws Exception {
    Properties config = new Properties();
    config.put("bootstrap.servers", args[0]);
    config.put("group.id", args[1]);
    config.put("auto.offset.reset", "earliest");
    config.put("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
    config.put("session.timeout.ms", "10000");
    config.put("heartbeat.interval.ms", "500");
    config.put("key.deserializer", ByteArrayDeserializer.class.getName());
    config.put("value.deserializer", ByteArrayDeserializer.class.getName());

    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config);
    Thread main = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  consumer.wakeup();
                  try {
                    main.join();
                  } catch (InterruptedException stopped) {
                    // The process ends in any case.
                  }
                }));
    try (consumer) {
      consumer.subscribe(List.of(args[2]), new SharingMember());
      while (true) consumer.poll(Duration.ofMillis(100));
    } catch (WakeupException stopping) {
      // Asked to stop; closing leaves the group.
    }
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    tell("assigned", partitions);
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    tell("revoked", partitions);
  }

  @Override
  public void onPartitionsLost(Collection<TopicPartition> partitions) {
    tell("lost", partitions);
  }

  private static void tell(String word, Collection<TopicPartition> partitions) {
    StringBuilder line = new StringBuilder(word).append(' ').append(System.currentTimeMillis());
    for (TopicPartition partition : partitions) line.append(' ').append(partition.partition());
    System.out.println(line);
  }
}
