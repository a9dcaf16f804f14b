import { apiVersion, gantryVersion } from '../../config/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { objectFormat } from '../flag-kinds.ts';
import { renderValue } from '../output/listing.ts';
import { binarySize } from '../output/units.ts';
import { errorText } from '../tell-error.ts';

type Wide = Readonly<Record<string, unknown>>;

const clientInfo = {
  Debug: false,
  Context: 'default',
  Version: gantryVersion,
  Platform: { Name: 'Gantry' },
};

export const infoCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  aliases: ['system info', 'info'],
  minArgs: 0,
  maxArgs: 0,
  flags: { format: objectFormat({ short: 'f' }) },
  async run({ context, values }) {
    const info = await (await context.client()).system.info();
    if (values.format !== '') {
      context.stdout.write(renderValue({ ...info, ClientInfo: clientInfo }, values.format));
      return;
    }
    context.stdout.write(infoText(info));
    const warnings = info['Warnings'];
    if (Array.isArray(warnings)) for (const warning of warnings) context.stderr.write(`${String(warning)}\n`);
  },
});

function infoText(info: Wide): string {
  const line = (label: string, key: string) =>
    info[key] === undefined ? [] : [` ${label}: ${said(info[key])}`];
  const status = Array.isArray(info['DriverStatus']) ? (info['DriverStatus'] as unknown[]) : [];
  const memory = info['MemTotal'];
  const plugins = (info['Plugins'] ?? {}) as Wide;
  const pluginLine = (key: string) => {
    const names = plugins[key];
    return Array.isArray(names) && names.length > 0 ? [`  ${key}: ${names.map(said).join(' ')}`] : [];
  };
  const options = Array.isArray(info['SecurityOptions']) ? info['SecurityOptions'] : [];
  return `${[
    'Client:',
    ` Version:    ${gantryVersion}`,
    ' Context:    default',
    ' Debug Mode: false',
    '',
    'Server:',
    ...line('Containers', 'Containers'),
    ...line(' Running', 'ContainersRunning'),
    ...line(' Paused', 'ContainersPaused'),
    ...line(' Stopped', 'ContainersStopped'),
    ...line('Images', 'Images'),
    ...line('Server Version', 'ServerVersion'),
    ...line('Storage Driver', 'Driver'),
    ...status.flatMap((pair) => (Array.isArray(pair) ? [`  ${said(pair[0])}: ${said(pair[1])}`] : [])),
    ...line('Logging Driver', 'LoggingDriver'),
    ...line('Cgroup Driver', 'CgroupDriver'),
    ...line('Cgroup Version', 'CgroupVersion'),
    ' Plugins:',
    ...['Volume', 'Network', 'Log'].flatMap(pluginLine),
    ...(typeof info['Runtimes'] === 'object'
      ? [` Runtimes: ${Object.keys(info['Runtimes'] ?? {}).join(' ')}`]
      : []),
    ...line('Default Runtime', 'DefaultRuntime'),
    ...line('Init Binary', 'InitBinary'),
    ...(options.length === 0 ? [] : [' Security Options:', ...options.flatMap(securityLines)]),
    ...line('Kernel Version', 'KernelVersion'),
    ...line('Operating System', 'OperatingSystem'),
    ...line('OSType', 'OSType'),
    ...line('Architecture', 'Architecture'),
    ...line('CPUs', 'NCPU'),
    ...(typeof memory === 'number' ? [` Total Memory: ${binarySize(memory)}`] : []),
    ...line('Name', 'Name'),
    ...line('ID', 'ID'),
    ...line('Docker Root Dir', 'DockerRootDir'),
    ...line('Debug Mode', 'Debug'),
    ...line('Experimental', 'ExperimentalBuild'),
    ...line('Live Restore Enabled', 'LiveRestoreEnabled'),
  ].join('\n')}\n`;
}

/** `name=seccomp,profile=builtin` as a name with its options under it. */
function securityLines(option: unknown): string[] {
  const [name = '', ...rest] = said(option).split(',');
  const title = (one: string) => one.charAt(0).toUpperCase() + one.slice(1).replace('=', ': ');
  return [`  ${name.replace(/^name=/, '')}`, ...rest.map((one) => `   ${title(one)}`)];
}

function said(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export const versionCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Show the Gantry version information',
  minArgs: 0,
  maxArgs: 0,
  flags: { format: objectFormat({ short: 'f' }) },
  async run({ context, values }) {
    let server: Wide | undefined;
    let problem: EngineError | undefined;
    let used = context.config.apiVersion || apiVersion.newest;
    try {
      const client = await context.client();
      used = await client.apiVersion();
      server = await client.system.version();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      problem = error;
    }
    const client = {
      Version: gantryVersion,
      ApiVersion: used,
      DefaultAPIVersion: apiVersion.newest,
      Os: process.platform,
      Arch: process.arch === 'x64' ? 'amd64' : process.arch,
      NodeVersion: process.versions.node,
      Context: 'default',
    };
    if (values.format !== '') {
      const shown = { Client: fieldsOf(client), Server: server === undefined ? null : fieldsOf(server) };
      context.stdout.write(renderValue(shown, values.format));
    } else context.stdout.write(versionText(client, server));
    if (problem === undefined) return 0;
    context.stderr.write(`${errorText(problem)}\n`);
    return 1;
  },
});

/** Templates know the API's version by the name of Docker's Go field, JSON by the wire's. */
function fieldsOf(version: Wide): Wide {
  return Object.defineProperty({ ...version }, 'APIVersion', { value: version['ApiVersion'] });
}

function versionText(client: Readonly<Record<string, string>>, server: Wide | undefined): string {
  const row = (label: string, value: unknown) => ` ${`${label}:`.padEnd(18)}${said(value)}`;
  const lines = [
    'Client: Gantry',
    row('Version', client['Version']),
    row('API version', client['ApiVersion']),
    row('Node version', client['NodeVersion']),
    row('OS/Arch', `${client['Os'] ?? ''}/${client['Arch'] ?? ''}`),
    row('Context', client['Context']),
  ];
  if (server !== undefined) {
    const components = Array.isArray(server['Components']) ? (server['Components'] as Wide[]) : [];
    const api = `${said(server['ApiVersion'])} (minimum version ${said(server['MinAPIVersion'])})`;
    lines.push(
      '',
      'Server: Gantry',
      ' Engine:',
      ` ${row('Version', server['Version'])}`,
      ` ${row('API version', api)}`,
      ` ${row('OS/Arch', `${said(server['Os'])}/${said(server['Arch'])}`)}`,
      ` ${row('Kernel', server['KernelVersion'])}`,
    );
    for (const component of components) {
      if (component['Name'] === 'Engine') continue;
      lines.push(` ${said(component['Name'])}:`, ` ${row('Version', component['Version'])}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
