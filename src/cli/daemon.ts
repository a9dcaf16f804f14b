import { defaultSocket, logLevelOf } from '../config/index.ts';
import { EngineError } from '../errors/index.ts';
import { defineCommand } from './command.ts';
import { defaultDaemonFile, withDaemonFile } from './daemon-file.ts';
import { bool, int, list, text } from './flags.ts';
import { parseOptions } from './run/resources.ts';

const flags = {
  bip: text('Address of the default bridge with its prefix (172.17.0.1/16)'),
  'config-file': text('Daemon configuration file', { initial: defaultDaemonFile }),
  debug: bool('Enable debug mode', { short: 'D' }),
  host: list('Daemon socket(s) to listen on: unix:///PATH or tcp://ADDRESS:PORT', {
    short: 'H',
    shownDefault: `unix://${defaultSocket}`,
  }),
  'http-proxy': text('HTTP proxy of pulls, pushes and downloads (default $HTTP_PROXY)'),
  'https-proxy': text('HTTPS proxy of pulls, pushes and downloads (default $HTTPS_PROXY)'),
  'insecure-registry': list('Registries and networks that need no TLS'),
  'log-driver': text('Default driver for container logs', { initial: 'json-file' }),
  'log-opt': list('Default log driver options for containers', { kind: 'map' }),
  'log-level': text('Set the logging level ("debug", "info", "warn", "error", "fatal")', {
    short: 'l',
    initial: 'info',
  }),
  'max-concurrent-downloads': int('Set the max concurrent downloads', { initial: 3 }),
  'max-concurrent-uploads': int('Set the max concurrent uploads', { initial: 5 }),
  'no-proxy': text('Hosts and networks reached without a proxy (default $NO_PROXY)'),
  'registry-mirror': list('Preferred registry mirror of Docker Hub (URL)'),
  root: text('Directory of everything durable', { shownDefault: '"/var/lib/gantry"' }),
  runtime: text('Low-level runtime to use for containers: runc or crun', { initial: 'runc' }),
  shutdown: text('At shutdown leave containers running or stop them (keep|stop)', { initial: 'keep' }),
  'stop-deaf': text(
    'A stop whose signal can have no effect waits all the same, or kills at once (wait|kill)',
    {
      initial: 'wait',
    },
  ),
  tls: bool('Use TLS; implied by --tlsverify'),
  tlscacert: text('Trust certs signed only by this CA'),
  tlscert: text('Path to TLS certificate file'),
  tlskey: text('Path to TLS key file'),
  tlsverify: bool('Use TLS and verify the remote'),
  validate: bool('Validate daemon configuration and exit'),
};

/** The edge where the CLI meets the engine; imported only for `gantry daemon`. */
export const daemonCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Run the Gantry daemon',
  minArgs: 0,
  maxArgs: 0,
  flags,
  async run({ context, given, values: flagValues }) {
    const values = withDaemonFile(flags, { values: flagValues, given }, flagValues['config-file']);
    const { shutdown } = values;
    if (shutdown !== 'keep' && shutdown !== 'stop') {
      throw new EngineError(
        'invalidArgument',
        `invalid --shutdown ${JSON.stringify(shutdown)}: must be "keep" or "stop"`,
      );
    }
    const stopDeaf = values['stop-deaf'];
    if (stopDeaf !== 'wait' && stopDeaf !== 'kill') {
      throw new EngineError(
        'invalidArgument',
        `invalid --stop-deaf ${JSON.stringify(stopDeaf)}: must be "wait" or "kill"`,
      );
    }
    const { runtime } = values;
    if (runtime !== 'runc' && runtime !== 'crun') {
      throw new EngineError(
        'invalidArgument',
        `invalid --runtime ${JSON.stringify(runtime)}: must be "runc" or "crun"`,
      );
    }
    const logLevel = logLevelOf(values['log-level']);
    if (logLevel === undefined) {
      throw new EngineError('invalidArgument', `invalid logging level: ${values['log-level']}`);
    }
    const tls = tlsFiles(values);
    const options = {
      hosts: values.host.length === 0 ? [`unix://${defaultSocket}`] : values.host,
      debug: values.debug || logLevel === 'debug',
      logLevel: values.debug ? 'debug' : logLevel,
      shutdown,
      stopDeaf,
      ...(values.root === '' ? {} : { root: values.root }),
      runtime,
      ...(values.bip === '' ? {} : { bip: values.bip }),
      ...(tls === undefined ? {} : { tls }),
      registries: registriesOf(values),
      proxies: {
        ...(values['http-proxy'] === '' ? {} : { httpProxy: values['http-proxy'] }),
        ...(values['https-proxy'] === '' ? {} : { httpsProxy: values['https-proxy'] }),
        ...(values['no-proxy'] === '' ? {} : { noProxy: values['no-proxy'] }),
      },
      logging: { driver: values['log-driver'], options: parseOptions(values['log-opt'], 'log') },
    } as const;
    if (values.validate) {
      context.stdout.write('configuration OK\n');
      return 0;
    }
    const { runDaemon } = await import('../http/daemon.ts');
    await runDaemon(options);
    return 0;
  },
});

function registriesOf(values: {
  readonly 'insecure-registry': readonly string[];
  readonly 'registry-mirror': readonly string[];
  readonly 'max-concurrent-downloads': number;
  readonly 'max-concurrent-uploads': number;
}) {
  const [maxConcurrentDownloads, maxConcurrentUploads] = [
    values['max-concurrent-downloads'],
    values['max-concurrent-uploads'],
  ];
  if (maxConcurrentDownloads < 1 || maxConcurrentUploads < 1) {
    throw new EngineError('invalidArgument', 'the max concurrent downloads and uploads must be at least 1');
  }
  const registryMirrors = values['registry-mirror'];
  for (const mirror of registryMirrors) {
    if (!/^https?:\/\/[^/?#@]+\/?[^?#]*$/.test(mirror)) {
      throw new EngineError(
        'invalidArgument',
        `invalid mirror: ${JSON.stringify(mirror)} is no URL of a registry`,
      );
    }
  }
  return {
    insecureRegistries: values['insecure-registry'],
    registryMirrors,
    maxConcurrentDownloads,
    maxConcurrentUploads,
  };
}

function tlsFiles(values: {
  readonly tls: boolean;
  readonly tlsverify: boolean;
  readonly tlscacert: string;
  readonly tlscert: string;
  readonly tlskey: string;
}) {
  if (!values.tls && !values.tlsverify) return undefined;
  if (values.tlscert === '' || values.tlskey === '' || (values.tlsverify && values.tlscacert === '')) {
    throw new EngineError(
      'invalidArgument',
      '--tls needs --tlscert and --tlskey, --tlsverify also --tlscacert',
    );
  }
  const files = { cert: values.tlscert, key: values.tlskey, verify: values.tlsverify };
  return values.tlscacert === '' ? files : { ...files, ca: values.tlscacert };
}
