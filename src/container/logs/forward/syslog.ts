import { hostname } from 'node:os';
import { raceAbort } from '../../../lib/keyed-lock.ts';
import type { LogOptions } from '../drivers.ts';
import type { LogSink } from './sink.ts';
import { type SyslogHeader, syslogMessage } from './syslog-format.ts';
import { parseSyslogOptions } from './syslog-options.ts';
import { openTransport, type Transport } from './syslog-transport.ts';

/** A syslog server, as the options of a container name it. */
export function createSyslogSink(tag: string, options: LogOptions): LogSink {
  const { address, facility, format } = parseSyslogOptions(options);
  const framing = address.kind === 'tcp+tls' && format.startsWith('rfc5424') ? 'length' : 'newline';
  const header: SyslogHeader = { facility, hostname: hostname(), tag, pid: process.pid };
  const closing = new AbortController();
  let transport: Promise<Transport> | undefined;
  return {
    async send(lines, signal) {
      transport ??= openTransport(address, options, closing.signal);
      const opened = await raceAbort(transport, signal);
      // Docker sends no empty lines.
      const messages = lines
        .filter(({ data }) => data.length > 0)
        .map((line) => syslogMessage(line, header, { format, framing }));
      for (const bytes of opened.datagrams ? messages : [Buffer.concat(messages)])
        await raceAbort(opened.write(bytes), signal);
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      const opened = await transport?.catch(() => undefined);
      opened?.[Symbol.dispose]();
    },
  };
}
