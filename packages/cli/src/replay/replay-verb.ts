import { Option } from 'commander';
import type { AddVerb } from '../verb.ts';
import { replayEvents, type ReplayEventsOptions } from './replay-events.ts';
import { replayGroup, type ReplayGroupOptions } from './replay-group.ts';

/** `outbound replay group` and `outbound replay events`: what was delivered is delivered again. */
export const addReplay: AddVerb = (replay, bind) => {
  replay
    .command('group')
    .description('set where a stopped consumer group goes on in a topic; shows what comes again')
    .argument('<group>')
    .argument('<topic>', 'a topic or an event type')
    .option('--to-time <time>', 'the first record at or after, e.g. 2026-03-01T12:00:00Z')
    .option('--to-offset <offset>', 'this offset')
    .option(
      '--to-event <eid>',
      'this event in its partition, and the others to the time when it was committed',
    )
    .option('--partition <n>', 'only this partition; may be repeated', collect)
    .option('-y, --yes', 'do it without asking')
    .action(
      bind((context, group: string, topic: string, options: ReplayGroupOptions) =>
        replayGroup(context, group, topic, options),
      ),
    );
  replay
    .command('events')
    .description(
      'publish retained events of the outbox once more, same ids and bytes, marked by the header replay: true',
    )
    .option('--key <id>', 'events of this entity; may be repeated', collect)
    .option('--from <time>', 'created at or after')
    .option('--to <time>', 'created before')
    .option('--event-type <name>', 'events of this type')
    .addOption(
      new Option(
        '--to-topic <topic>',
        'a side topic, or the topic with every change; never a compacted one',
      ).makeOptionMandatory(),
    )
    .option('--wait <seconds>', 'how long to wait for a relay that is behind', '30')
    .option('-y, --yes', 'do it without asking')
    .action(bind((context, options: ReplayEventsOptions) => replayEvents(context, options)));
};

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}
