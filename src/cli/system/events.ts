import type { EventMessage } from '../../api/index.ts';
import { defineCommand } from '../command.ts';
import { filter, objectFormat } from '../flag-kinds.ts';
import { text } from '../flags.ts';
import { renderValue } from '../output/listing.ts';
import { eventShape } from '../output/shapes.ts';
import { parseTimestamp } from '../sizes.ts';

export const eventsCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Get real time events from the server',
  aliases: ['system events', 'events'],
  minArgs: 0,
  maxArgs: 0,
  flags: {
    filter: filter('Filter output based on conditions provided', { short: 'f' }),
    format: objectFormat(),
    since: text('Show all events created since timestamp'),
    until: text('Stream events until this timestamp'),
  },
  async run({ context, values }) {
    const { system } = await context.client();
    const events = system.events({
      filters: values.filter,
      ...(values.since === '' ? {} : { since: parseTimestamp(values.since) }),
      ...(values.until === '' ? {} : { until: parseTimestamp(values.until) }),
    });
    for await (const event of events) {
      context.stdout.write(
        values.format === '' ? eventLine(event) : renderValue(event, values.format, eventShape),
      );
    }
  },
});

/** `2024-05-06T07:08:09.123456789Z container create ID (image=busybox, name=web)`. */
function eventLine(event: EventMessage): string {
  const nanos = `${String(Math.round(event.timeNano / 1000) % 1e6).padStart(6, '0')}000`;
  const time = new Date(event.time * 1000).toISOString().replace('.000Z', `.${nanos}Z`);
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(', ');
  return `${time} ${event.Type} ${event.Action} ${event.Actor.ID}${attributes === '' ? '' : ` (${attributes})`}\n`;
}
