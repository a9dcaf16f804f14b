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

/** The engine's nft table. Where somebody flushed or deleted it, any change makes it anew from what is known. */
export class RuleTable {
  readonly #options: RuleTableOptions;

  constructor(options: RuleTableOptions) {
    this.#options = options;
  }

  /** The whole table, whatever was there. */
  async renew(networks: readonly NetworkRecord[] = this.#options.records.all()): Promise<void> {
    const { instance, ports } = this.#options;
    await nft(tableScript(instance, bridgeRulesOf(networks), ports.rules()));
  }

  async addPorts(rules: readonly PortRule[]): Promise<void> {
    if (rules.length === 0) return;
    await this.#change(portsScript('add', this.#options.instance, rules));
    this.#forgetFlows(rules);
  }

  async deletePorts(rules: readonly PortRule[]): Promise<void> {
    if (rules.length === 0) return;
    await this.#change(portsScript('delete', this.#options.instance, rules));
    this.#forgetFlows(rules);
  }

  /** The rules of these networks' bridges and no others; published ports stay as they are. */
  async setBridges(networks: readonly NetworkRecord[]): Promise<void> {
    await this.#change(bridgesScript(this.#options.instance, bridgeRulesOf(networks)), networks);
  }

  async remove(): Promise<void> {
    await nft(removeTableScript(this.#options.instance));
  }

  /** What the kernel decided of UDP flows by the rules of before. */
  #forgetFlows(rules: readonly PortRule[]): void {
    try {
      forgetUdpFlows(rules);
    } catch (error) {
      this.#options.onWarning('Cannot make the kernel forget UDP flows to published ports', error);
    }
  }

  async #change(script: string, networks?: readonly NetworkRecord[]): Promise<void> {
    try {
      await nft(script);
    } catch (error) {
      this.#options.onWarning('Cannot change the firewall rules, making them anew', error);
      await this.renew(networks);
    }
  }
}
