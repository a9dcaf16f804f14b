import type { LogLine } from './sink.ts';

/** What of a message does not change from line to line. */
export interface SyslogHeader {
  /** 0 … 23. */
  readonly facility: number;
  readonly hostname: string;
  readonly tag: string;
  readonly pid: number;
}

export type SyslogFormat = '' | 'rfc3164' | 'rfc5424' | 'rfc5424micro';

/** Lengths go before messages instead of line feeds after them. [RFC 5425] */
export type SyslogFraming = 'newline' | 'length';

const severity = { stdout: 6, stderr: 3 } as const;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A line as a syslog message, with the time at which it was written. */
export function syslogMessage(
  line: LogLine,
  header: SyslogHeader,
  options: { readonly format: SyslogFormat; readonly framing: SyslogFraming },
): Buffer {
  const message = Buffer.concat([
    Buffer.from(headText(line, header, options.format)),
    line.data,
    Buffer.from('\n'),
  ]);
  return options.framing === 'newline'
    ? message
    : Buffer.concat([Buffer.from(`${message.length} `), message]);
}

function headText(line: LogLine, header: SyslogHeader, format: SyslogFormat): string {
  const { facility, hostname, tag, pid } = header;
  const priority = facility * 8 + severity[line.stream];
  switch (format) {
    case '':
      return `<${priority}>${stamp(line.time)} ${tag}[${pid}]: `;
    case 'rfc3164':
      return `<${priority}>${stamp(line.time)} ${hostname} ${tag}[${pid}]: `;
    case 'rfc5424':
      return `<${priority}>1 ${line.time.slice(0, 19)}Z ${hostname} ${tag} ${pid} ${tag} - `;
    case 'rfc5424micro':
      return `<${priority}>1 ${line.time.slice(0, 26)}Z ${hostname} ${tag} ${pid} ${tag} - `;
  }
}

/** `Jan  2 15:04:05`, in local time as syslog has it. */
function stamp(time: string): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = String(date.getDate()).padStart(2, ' ');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${months[date.getMonth()] ?? ''} ${day} ${clock}`;
}
