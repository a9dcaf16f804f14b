import type {
  EndpointSettings,
  Filters,
  NetworkCreateRequest,
  NetworkInspect,
  PortMap,
} from '../api/index.ts';

/** What a container asks of its network when it starts. */
export interface ConnectRequest {
  readonly containerId: string;
  /** Without the leading slash. */
  readonly containerName: string;
  /** `bridge`, `default`, `none`, or a network's name or id. (`host` and `container:` never come here.) */
  readonly networkMode: string;
  /** Settings the client gave for each network at create or connect, by network name. */
  readonly endpoints: Readonly<Record<string, Partial<EndpointSettings>>>;
  /** Ports to publish; a HostPort of '' or '0' is chosen here. */
  readonly portBindings: PortMap;
  /** A name that others on a user-defined network can use, too. */
  readonly hostname?: string;
  /** `--dns`: servers the resolver of a user-defined network asks instead of the host's, from the container's network. */
  readonly dns?: readonly string[];
}

/** A started container's network. Plain data: it is stored with the container and given back to `release`. */
export interface Connection {
  /** Absolute path of the network namespace, for the runtime's spec. */
  readonly namespacePath: string;
  readonly sandboxId: string;
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  /** With the host ports chosen. */
  readonly ports: PortMap;
  /** Set where the engine answers the container's name queries, at `resolverAddress`. */
  readonly resolver?: { readonly servers: readonly string[] };
}

/** A running container that is to be on one more network. */
export interface JoinRequest
  extends Pick<ConnectRequest, 'containerId' | 'containerName' | 'portBindings' | 'hostname' | 'dns'> {
  readonly network: string;
  readonly settings: Partial<EndpointSettings>;
}

/** A running container that is to leave a network. */
export type LeaveRequest = Omit<JoinRequest, 'settings'>;

/** A running container with another name than before. */
export type RenameRequest = Pick<ConnectRequest, 'containerId' | 'containerName' | 'hostname'>;

/** A running container whose ports are to be published in another way. */
export interface RepublishRequest
  extends Pick<ConnectRequest, 'containerId' | 'containerName' | 'portBindings'> {
  /** Container ports (`80/tcp`) for which `portBindings` says something new; the others stay as they are. */
  readonly changed: readonly string[];
}

/** A container that outlived the daemon, with the network it was given. */
export interface RunningContainer {
  readonly containerId: string;
  /** Without the leading slash; `inspect` shows it. */
  readonly containerName?: string;
  readonly connection: Connection;
}

/** IPv4 addresses by network id. */
export type Addresses = Readonly<Record<string, string>>;

/** A container that is to get its addresses back. */
export interface Holding {
  readonly containerId: string;
  readonly addresses: Addresses;
}

export interface Networks extends AsyncDisposable {
  /**
   * Checks tools, makes or adopts bridges and rules, keeps the connections of containers that still run, and holds
   * addresses before anybody else can have them. A network of the user's whose bridge cannot be had is warned of, and
   * nothing connects to it (`unavailable`) until it is removed or another engine recovers.
   */
  recover(running: readonly RunningContainer[], held?: readonly Holding[]): Promise<void>;
  /**
   * Gives a container its namespace, addresses and published ports; on failure nothing of it remains.
   * A taken port rejects with `internal` and Docker's text: `driver failed programming external connectivity on
   * endpoint NAME (ID): Bind for 0.0.0.0:80 failed: port is already allocated` (or `address already in use`).
   */
  connect(request: ConnectRequest, signal?: AbortSignal): Promise<Connection>;
  /**
   * Takes it all away again. Repeats and missing parts are no error. Rules and host ports are gone when it resolves;
   * the namespace and its interface go in the background, at the latest before `shutdown` resolves.
   */
  release(containerId: string, connection: Connection): Promise<void>;

  /** Keeps these addresses for a container's next `connect`, over releases and failures, until `letGo`. */
  hold(holding: Holding): void;
  /** Those that the container does not have by now are free, once no interface has them any more. */
  letGo(containerId: string): void;
  /**
   * Whether a container's ports could be published: rejects as `connect` would for a host port that is taken by
   * anything but this container.
   */
  probePorts(request: Pick<ConnectRequest, 'containerId' | 'portBindings'>): Promise<void>;

  /**
   * Brings a running container onto one more network: an interface, an address, names. The first network with a way out
   * carries the default route and the published ports. On failure everything is as before. The caller stores the
   * connection that comes back.
   */
  join(request: JoinRequest, connection: Connection): Promise<Connection>;
  /** Whether a container on these networks, by name, could join one more: throws as `join` rejects. */
  assertJoinable(request: Pick<JoinRequest, 'network' | 'settings'>, joined: readonly string[]): void;
  /** Takes a running container off a network; `forbidden` when it is not on it. */
  leave(request: LeaveRequest, connection: Connection): Promise<Connection>;
  /** From now on others find a running container by its new name. The caller stores the connection that comes back. */
  rename(request: RenameRequest, connection: Connection): Connection;
  /**
   * Publishes ports of a running container in another way; connections by the others go on. Rejects as `connect` does
   * for a taken port, and then everything is as before. The caller stores the connection that comes back.
   */
  republish(request: RepublishRequest, connection: Connection): Promise<Connection>;

  list(filters: Filters): NetworkInspect[];
  /** By name, id or its beginning, built-in ones (bridge, host, none) too; `notFound` "network x not found". */
  inspect(nameOrId: string): NetworkInspect;
  /** A bridge network; `notImplemented` for what this engine has not, other codes with Docker's texts. */
  create(request: NetworkCreateRequest): Promise<{ readonly Id: string; readonly Warning: string }>;
  remove(nameOrId: string): Promise<void>;
  /** Networks nobody uses, removed. */
  prune(filters: Filters): Promise<{ readonly NetworksDeleted: readonly string[] }>;
  /** The gateway address of the default bridge: `host-gateway`. */
  readonly gateway: string;
  /** Lets go of firewall rules, pool and bridge; `keep` leaves what running containers need. */
  shutdown(options: { readonly keep: boolean }): Promise<void>;
}
