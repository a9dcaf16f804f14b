import { hostSettings } from './host-settings.ts';
import { mountSettings } from './mount-settings.ts';
import { linksOfOtherNetworks, networkSettings } from './network-settings.ts';
import { commandOf, processSettings } from './process-settings.ts';
import { type Description, on, one, type Subject } from './setting.ts';

/** The shortest set of `run` flags that makes this container again: what differs from its image and from defaults. */
export function describe(subject: Subject): Description {
  const { Config: config, Name: name } = subject.container;
  const { entrypoint, args } = commandOf(config, subject.image);
  const isDetached = !config.AttachStdout && !config.AttachStderr;
  return {
    settings: [
      ...on('detach', isDetached),
      ...one('name', name.replace(/^\//, '')),
      ...hostSettings(subject),
      ...processSettings(subject),
      ...networkSettings(subject),
      ...mountSettings(subject),
      ...entrypoint,
    ],
    image: config.Image,
    args,
    unsaid: linksOfOtherNetworks(subject.container),
  };
}
