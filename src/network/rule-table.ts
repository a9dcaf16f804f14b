import { bridgeRulesOf } from './bridges.ts';
import { forgetUdpFlows } from './conntrack.ts';
import type { HostPorts } from './host-ports.ts';
import { nft } from './kernel.ts';
import type { NetworkRecord, NetworkRecords } from './records.ts';
import { bridgesScript, type PortRule, portsScript, removeTableScript, tableScript } from './rules.ts';

export interface RuleTableOptions {
  readonly instance: string;
  readonly records: NetworkRecords;
  readonly ports: HostPorts;
  readonly onWarning: (message: string, error: unknown) => void;
}

/**
 * The engine's nft table. Where somebody flushed or deleted it, any change makes it anew from what is known.
 *
 * Transactions run one after another, and each is written when its turn comes: one written before would undo what
 * another has done meanwhile. Changes that wait go together in one, so that many containers at once wait no longer.
 */
export class RuleTable {
  readonly #options: RuleTableOptions;
  readonly #opening = new Set<NetworkRecord>();
  #last = Promise.resolve();
  /** The turn of the changes that wait. */
  #next: Promise<void> | undefined;
  #waitingPorts: string[] = [];
  #areBridgesWaiting = false;

  constructor(options: RuleTableOptions) {
    this.#options = options;
  }

  /** The whole table, whatever was there. */
  async renew(): Promise<void> {
    await this.#turn(async () => this.#makeAnew());
  }

  async addPorts(rules: readonly PortRule[]): Promise<void> {
    await this.#changePorts('add', rules);
  }

  async deletePorts(rules: readonly PortRule[]): Promise<void> {
    await this.#changePorts('delete', rules);
  }

  /** Until it is disposed, a network that has no row yet is among those that have rules. */
  opening(record: NetworkRecord): Disposable {
    this.#opening.add(record);
    return {
      [Symbol.dispose]: () => {
        this.#opening.delete(record);
      },
    };
  }

  /** The rules of the bridges there are and no others; published ports stay as they are. */
  async renewBridges(): Promise<void> {
    this.#areBridgesWaiting = true;
    await this.#change();
  }

  async remove(): Promise<void> {
    await this.#turn(async () => nft(removeTableScript(this.#options.instance)));
  }

  async #changePorts(verb: 'add' | 'delete', rules: readonly PortRule[]): Promise<void> {
    if (rules.length === 0) return;
    const { instance, onWarning } = this.#options;
    this.#waitingPorts.push(portsScript(verb, instance, rules));
    await this.#change();
    try {
      // What the kernel decided of UDP flows by the rules of before.
      forgetUdpFlows(rules);
    } catch (error) {
      onWarning('Cannot make the kernel forget UDP flows to published ports', error);
    }
  }

  async #change(): Promise<void> {
    this.#next ??= this.#turn(async () => this.#commit());
    await this.#next;
  }

  async #commit(): Promise<void> {
    const { instance, onWarning } = this.#options;
    const bridges = this.#areBridgesWaiting ? [bridgesScript(instance, this.#bridges())] : [];
    const script = [...bridges, ...this.#waitingPorts].join('');
    this.#areBridgesWaiting = false;
    this.#waitingPorts = [];
    this.#next = undefined;
    try {
      await nft(script);
    } catch (error) {
      onWarning('Cannot change the firewall rules, making them anew', error);
      await this.#makeAnew();
    }
  }

  async #makeAnew(): Promise<void> {
    const { instance, ports } = this.#options;
    await nft(tableScript(instance, this.#bridges(), ports.rules()));
  }

  #bridges() {
    return bridgeRulesOf([...this.#options.records.up(), ...this.#opening]);
  }

  async #turn(work: () => Promise<void>): Promise<void> {
    // After a failed one too: whoever waits for that hears of it.
    const turn = this.#last.then(work, work);
    this.#last = turn;
    await turn;
  }
}
