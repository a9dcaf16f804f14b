import { hostPlatform, type Platform, platformString } from '../../oci/index.ts';

/** Build arguments that need no ARG, reach RUN, and stay out of history and cache keys. */
const predefined = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
);
/** Build arguments that change the builder and are never "not consumed". */
const builtIn = /^(?:BUILDKIT_[A-Z_]+|SOURCE_DATE_EPOCH)$/;

export type BuildArgs = Readonly<Record<string, string | null>>;

/** The automatic arguments about where the build runs and for what. */
export function platformArgs(target: Platform = hostPlatform()): ReadonlyMap<string, string> {
  const describe = (prefix: string, platform: Platform) =>
    [
      [`${prefix}PLATFORM`, platformString(platform)],
      [`${prefix}OS`, platform.os],
      [`${prefix}ARCH`, platform.architecture],
      [`${prefix}VARIANT`, platform.variant ?? ''],
      [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
    ] as const;
  return new Map([...describe('TARGET', target), ...describe('BUILD', hostPlatform())]);
}

/** Arguments given on the command line that a RUN sees without any ARG. */
export function predefinedArgs(buildArgs: BuildArgs): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(buildArgs).flatMap(([key, value]) =>
      predefined.has(key) && value !== null ? [[key, value] as const] : [],
    ),
  );
}

/** Names given on the command line that no ARG of the file declares, sorted. */
export function unusedArgs(buildArgs: BuildArgs, declared: ReadonlySet<string>): string[] {
  return Object.keys(buildArgs)
    .filter((key) => !declared.has(key) && !predefined.has(key) && !builtIn.test(key))
    .sort();
}
