import { isIP } from 'node:net';
import { EngineError, messageOf } from '../errors/index.ts';
import { isFalse, parseBoolean } from '../lib/go-values.ts';
import { isDeviceName } from './endpoint-options.ts';

// Driver options of a network, as Docker's bridge driver knows them; what that does not know it ignores.

const optionName = {
  device: 'com.docker.network.bridge.name',
  icc: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  devicePrefix: 'com.docker.network.container_iface_prefix',
  mtu: 'com.docker.network.driver.mtu',
} as const;

export type Options = Readonly<Record<string, string>>;

/** What is said of the network's bridge; read from the options wherever it is asked for. */
export interface BridgeOptions {
  /** The bridge's name; chosen by us unless given. */
  readonly device: string | undefined;
  readonly mtu: number;
  readonly icc: boolean;
  readonly masquerade: boolean;
  /** The address of the host that ports without one are published on; '' for all of them. */
  readonly hostBinding: string;
  /** What interfaces of containers are called, before their number. */
  readonly devicePrefix: string;
}

/** Takes options as `checkBridgeOptions` let them pass. */
export function bridgeOptions(options: Options): BridgeOptions {
  const hostBinding = options[optionName.hostBinding] ?? '';
  return {
    device: options[optionName.device] || undefined,
    mtu: Number(options[optionName.mtu] ?? '1500'),
    icc: !isFalse(options[optionName.icc] ?? ''),
    masquerade: !isFalse(options[optionName.masquerade] ?? ''),
    hostBinding: isIP(hostBinding) === 4 && hostBinding !== '0.0.0.0' ? hostBinding : '',
    devicePrefix: options[optionName.devicePrefix] || 'eth',
  };
}

/** The options of the default bridge. */
export function defaultBridgeOptions(device: string, mtu: number): Options {
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    [optionName.icc]: 'true',
    [optionName.masquerade]: 'true',
    [optionName.hostBinding]: '0.0.0.0',
    [optionName.device]: device,
    [optionName.mtu]: String(mtu),
  };
}

/** Throws `invalidArgument`, in Docker's words, for a value that is none; `notImplemented` for what we cannot do. */
export function checkBridgeOptions(options: Options): void {
  for (const [name, value] of Object.entries(options)) {
    try {
      checks[name]?.(value);
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw new EngineError(
        'invalidArgument',
        `failed to parse ${name} value: ${value} (${messageOf(error)})`,
      );
    }
    if (isUnsupported[name]?.(value) === true) {
      throw new EngineError('notImplemented', `network option ${name}=${value} is not supported`);
    }
  }
}

const checks: Readonly<Record<string, (value: string) => void>> = {
  [optionName.icc]: parseBoolean,
  [optionName.masquerade]: parseBoolean,
  'com.docker.network.bridge.inhibit_ipv4': parseBoolean,
  'com.docker.network.bridge.gateway_mode_ipv4': checkGatewayMode,
  'com.docker.network.bridge.gateway_mode_ipv6': checkGatewayMode,
  [optionName.mtu]: checkMtu,
  [optionName.device]: checkDevice,
  [optionName.hostBinding]: (value) => {
    if (isIP(value) !== 4) throw new Error('nil ip');
  },
  [optionName.devicePrefix]: (value) => {
    // Two digits follow at most: a container with a hundred networks is none of ours.
    if (!isDeviceName(`${value}00`)) throw new Error('invalid interface name');
  },
};

/** An option that would change how containers are reached must not be dropped in silence. */
const isUnsupported: Readonly<Record<string, (value: string) => boolean>> = {
  'com.docker.network.bridge.inhibit_ipv4': parseBoolean,
  'com.docker.network.bridge.gateway_mode_ipv4': (value) => value !== 'nat',
  'com.docker.network.bridge.trusted_host_interfaces': () => true,
  'com.docker.network.host_ipv4': () => true,
};

function checkGatewayMode(value: string): void {
  if (!['nat', 'nat-unprotected', 'routed', 'isolated'].includes(value)) {
    throw new Error(`unknown gateway mode ${value}`);
  }
}

function checkMtu(value: string): void {
  const mtu = Number(value);
  if (!/^\d+$/.test(value) || mtu < 68 || mtu > 65535) throw new Error('invalid MTU number');
}

function checkDevice(value: string): void {
  if (value !== '' && !isDeviceName(value)) throw new Error('invalid interface name');
  // An engine removes what it finds under such a name and does not know.
  if (/^gt[vy][0-9a-f]{8}/.test(value)) throw new Error('the name is for bridges that engines name');
}
