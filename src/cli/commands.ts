import type { Command } from './command.ts';

export type CommandLoader = () => Promise<Command>;

/** Groups of commands, with the words of their help. */
export const groups: Readonly<Record<string, string>> = {
  builder: 'Manage builds',
  container: 'Manage containers',
  image: 'Manage images',
  manifest: 'Look at manifests in registries',
  network: 'Manage networks',
  registry: 'Run a registry of your own',
  store: 'Look after the store',
  system: 'Manage Gantry',
  volume: 'Manage volumes',
};

const lifecycle = () => import('./container/lifecycle.ts');
const attach = () => import('./container/attach.ts');
const output = () => import('./container/output.ts');
const archives = () => import('./container/archives.ts');
const runModule = () => import('./run/run-command.ts');
const inspect = () => import('./inspect.ts');
const images = () => import('./image/list.ts');
const manage = () => import('./image/manage.ts');
const volumes = () => import('./objects/volume.ts');
const networks = () => import('./objects/network.ts');
const system = () => import('./system/info.ts');

const run: CommandLoader = async () => (await runModule()).runCommand;
const create: CommandLoader = async () => (await runModule()).createCommand;
const ps: CommandLoader = async () => (await import('./container/ps.ts')).psCommand;
const exec: CommandLoader = async () => (await import('./container/exec.ts')).execCommand;
const cp: CommandLoader = async () => (await import('./container/cp.ts')).cpCommand;
const stats: CommandLoader = async () => (await import('./container/stats.ts')).statsCommand;
const build: CommandLoader = async () => (await import('./image/build.ts')).buildCommand;
const push: CommandLoader = async () => (await import('./image/push.ts')).pushCommand;
const pull: CommandLoader = async () => (await import('./image/pull.ts')).pullCommand;
const attachOne: CommandLoader = async () => (await attach()).attachCommand;
const start: CommandLoader = async () => (await attach()).startCommand;
const stop: CommandLoader = async () => (await lifecycle()).stopCommand;
const restart: CommandLoader = async () => (await lifecycle()).restartCommand;
const kill: CommandLoader = async () => (await lifecycle()).killCommand;
const pause: CommandLoader = async () => (await lifecycle()).pauseCommand;
const unpause: CommandLoader = async () => (await lifecycle()).unpauseCommand;
const wait: CommandLoader = async () => (await lifecycle()).waitCommand;
const rm: CommandLoader = async () => (await lifecycle()).rmCommand;
const rename: CommandLoader = async () => (await lifecycle()).renameCommand;
const update: CommandLoader = async () => (await import('./container/update.ts')).updateCommand;
const logs: CommandLoader = async () => (await output()).logsCommand;
const runs: CommandLoader = async () => (await import('./container/runs.ts')).runsCommand;
const explain: CommandLoader = async () => (await import('./container/runs.ts')).explainCommand;
const top: CommandLoader = async () => (await output()).topCommand;
const diff: CommandLoader = async () => (await output()).diffCommand;
const port: CommandLoader = async () => (await output()).portCommand;
const exportOne: CommandLoader = async () => (await archives()).exportCommand;
const commit: CommandLoader = async () => (await archives()).commitCommand;
const imageList: CommandLoader = async () => (await images()).imagesCommand;
const history: CommandLoader = async () => (await images()).historyCommand;
const tag: CommandLoader = async () => (await manage()).tagCommand;
const rmi: CommandLoader = async () => (await manage()).rmiCommand;
const save: CommandLoader = async () => (await manage()).saveCommand;
const load: CommandLoader = async () => (await manage()).loadCommand;
const importOne: CommandLoader = async () => (await manage()).importCommand;
const info: CommandLoader = async () => (await system()).infoCommand;
const events: CommandLoader = async () => (await import('./system/events.ts')).eventsCommand;
const volumeRm: CommandLoader = async () => (await volumes()).volumeRmCommand;
const volumeLs: CommandLoader = async () => (await volumes()).volumeLsCommand;
const networkRm: CommandLoader = async () => (await networks()).networkRmCommand;
const networkLs: CommandLoader = async () => (await networks()).networkLsCommand;

/** Every command by its words. Nothing is loaded before it is needed. */
export const commands: Readonly<Record<string, CommandLoader>> = {
  attach: attachOne,
  build,
  commit,
  completion: async () => (await import('./completion/command.ts')).completionCommand,
  cp,
  create,
  daemon: async () => (await import('./daemon.ts')).daemonCommand,
  diff,
  events,
  exec,
  explain,
  export: exportOne,
  history,
  images: imageList,
  import: importOne,
  info,
  inspect: async () => (await inspect()).inspectAnyCommand,
  kill,
  load,
  login: async () => (await import('./remote/login.ts')).loginCommand,
  logout: async () => (await import('./remote/login.ts')).logoutCommand,
  logs,
  pause,
  port,
  prune: async () => (await import('./system/prune-plan.ts')).pruneCommand,
  ps,
  pull,
  push,
  rename,
  restart,
  rm,
  rmi,
  run,
  runs,
  save,
  search: async () => (await import('./remote/search.ts')).searchCommand,
  start,
  stats,
  stop,
  tag,
  top,
  unpause,
  update,
  version: async () => (await system()).versionCommand,
  wait,
  'builder build': build,
  'builder prune': async () => (await import('./system/prune.ts')).builderPruneCommand,
  'container attach': attachOne,
  'container commit': commit,
  'container cp': cp,
  'container create': create,
  'container diff': diff,
  'container exec': exec,
  'container explain': explain,
  'container export': exportOne,
  'container inspect': async () => (await inspect()).containerInspectCommand,
  'container kill': kill,
  'container list': ps,
  'container logs': logs,
  'container ls': ps,
  'container pause': pause,
  'container port': port,
  'container prune': async () => (await archives()).containerPruneCommand,
  'container ps': ps,
  'container remove': rm,
  'container rename': rename,
  'container restart': restart,
  'container rm': rm,
  'container run': run,
  'container runs': runs,
  'container start': start,
  'container stats': stats,
  'container stop': stop,
  'container top': top,
  'container unpause': unpause,
  'container update': update,
  'container wait': wait,
  'image build': build,
  'image diff': async () => (await import('./image/compare.ts')).imageDiffCommand,
  'image history': history,
  'image import': importOne,
  'image inspect': async () => (await inspect()).imageInspectCommand,
  'image layers': async () => (await import('./image/compare.ts')).imageLayersCommand,
  'image list': imageList,
  'image load': load,
  'image ls': imageList,
  'image prune': async () => (await manage()).imagePruneCommand,
  'image pull': pull,
  'image push': push,
  'image remove': rmi,
  'image rm': rmi,
  'image save': save,
  'image tag': tag,
  'manifest inspect': async () => (await import('./remote/manifest.ts')).manifestInspectCommand,
  'network connect': async () => (await networks()).networkConnectCommand,
  'network create': async () => (await networks()).networkCreateCommand,
  'network disconnect': async () => (await networks()).networkDisconnectCommand,
  'network inspect': async () => (await inspect()).networkInspectCommand,
  'network list': networkLs,
  'network ls': networkLs,
  'network prune': async () => (await networks()).networkPruneCommand,
  'network remove': networkRm,
  'network rm': networkRm,
  'registry gc': async () => (await import('./registry.ts')).registryGcCommand,
  'registry serve': async () => (await import('./registry.ts')).registryServeCommand,
  'store check': async () => (await import('./system/store-check.ts')).storeCheckCommand,
  'system df': async () => (await import('./system/df.ts')).dfCommand,
  'system events': events,
  'system info': info,
  'system prune': async () => (await import('./system/prune.ts')).systemPruneCommand,
  'volume create': async () => (await volumes()).volumeCreateCommand,
  'volume inspect': async () => (await inspect()).volumeInspectCommand,
  'volume list': volumeLs,
  'volume ls': volumeLs,
  'volume prune': async () => (await volumes()).volumePruneCommand,
  'volume remove': volumeRm,
  'volume rm': volumeRm,
};

/** What a table has under a word of the user's, who may say `constructor`. */
export function lookUp<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}

/** Second names, left out where commands are listed. */
export const secondNames: ReadonlySet<string> = new Set([
  'container list',
  'container ps',
  'container remove',
  'image list',
  'image remove',
  'network list',
  'network remove',
  'volume list',
  'volume remove',
]);
