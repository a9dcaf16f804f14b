import type { MountSpec } from '../../api/index.ts';
import { csvField, each, one, type Setting, type Subject } from './setting.ts';

/** Binds, volumes and tmpfs as they were asked for; the image's own VOLUMEs come by themselves. */
export function mountSettings({ container, image }: Subject): Setting[] {
  const { HostConfig: hostConfig, Config: config } = container;
  const anonymous = Object.keys(config.Volumes ?? {}).filter((path) => image.Volumes?.[path] === undefined);
  const tmpfs = Object.entries(hostConfig.Tmpfs ?? {});
  return [
    ...each('volume', hostConfig.Binds),
    ...each('volume', anonymous),
    ...each('mount', hostConfig.Mounts?.map(mountText)),
    ...each(
      'tmpfs',
      tmpfs.map(([path, options]) => (options === '' ? path : `${path}:${options}`)),
    ),
    ...each('volumes-from', hostConfig.VolumesFrom),
    ...one('volume-driver', hostConfig.VolumeDriver),
  ];
}

function mountText(mount: MountSpec): string {
  const { BindOptions: bind, VolumeOptions: volume, TmpfsOptions: tmpfs, ImageOptions: image } = mount;
  const labels = Object.entries(volume?.Labels ?? {}).map(([key, value]) => `volume-label=${key}=${value}`);
  const options = Object.entries(volume?.DriverConfig?.Options ?? {});
  const fields = [
    `type=${mount.Type}`,
    field('src', mount.Source),
    `dst=${mount.Target}`,
    mount.ReadOnly === true ? 'readonly' : undefined,
    field('bind-propagation', bind?.Propagation),
    bind?.NonRecursive === true ? 'bind-recursive=disabled' : undefined,
    bind?.ReadOnlyNonRecursive === true ? 'bind-recursive=writable' : undefined,
    bind?.ReadOnlyForceRecursive === true ? 'bind-recursive=readonly' : undefined,
    bind?.CreateMountpoint === true ? 'bind-create-src' : undefined,
    volume?.NoCopy === true ? 'volume-nocopy' : undefined,
    field('volume-subpath', volume?.Subpath),
    field('volume-driver', volume?.DriverConfig?.Name),
    ...labels,
    ...options.map(([key, value]) => `volume-opt=${key}=${value}`),
    field('image-subpath', image?.Subpath),
    field('tmpfs-size', tmpfs?.SizeBytes),
    field('tmpfs-mode', tmpfs?.Mode?.toString(8)),
  ];
  return fields.flatMap((text) => (text === undefined ? [] : [csvField(text)])).join(',');
}

function field(key: string, value: string | number | undefined): string | undefined {
  return value === undefined || value === '' || value === 0 ? undefined : `${key}=${value}`;
}
