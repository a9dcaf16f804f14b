import type { Logger } from 'pino';
import { type HostFacts, loadDefaultProfile, probeHost } from '../container/index.ts';

/** Loads what containers need into the kernel, then finds out what this host can do for them. */
export async function prepareHost(logger: Logger): Promise<HostFacts> {
  try {
    await loadDefaultProfile();
  } catch (error) {
    logger.warn({ err: error }, 'cannot load the AppArmor profile; containers run without one');
  }
  return probeHost();
}
