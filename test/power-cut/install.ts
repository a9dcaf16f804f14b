import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.ts';

export const checkout = '/root/gantry';
export const engineSocket = '/run/gantry-power-cut.sock';
export const compileCache = `${checkout}/node_modules/.cache/compiled`;

/** Puts the checked-out commit on the machine, with an engine on `root` that systemd starts at every boot. */
export async function install(machine: Machine, directory: string, root: string): Promise<void> {
  const source = join(directory, 'source');
  mkdirSync(source);
  const repository = join(import.meta.dirname, '../..');
  const archive = execFileSync('git', ['-C', repository, 'archive', 'HEAD'], { maxBuffer: 256 << 20 });
  execFileSync('tar', ['-x', '-C', source], { input: archive });
  await machine.copy(source, checkout);
  await machine.run(`cd ${checkout} && EXTRA_PACKAGES=socat:socat sh scripts/setup.sh`);
  await machine.run('cat >/etc/systemd/system/gantry.service', unit(root));
  await machine.run('systemctl daemon-reload && systemctl enable -q gantry');
  await restartEngine(machine);
}

/** An engine that ends in good order also leaves its compiled sources to the next. */
export async function restartEngine(machine: Machine): Promise<void> {
  await machine.run('systemctl restart gantry && sync');
}

/** The engine as a service: it is started again whatever ends it, and its containers outlive it. */
function unit(root: string): string {
  return `[Unit]
Description=Gantry
Wants=network-online.target
After=network-online.target

[Service]
# Where processors are emulated, a start is mostly reading the sources anew.
Environment=NODE_COMPILE_CACHE=${compileCache}
ExecStart=${checkout}/bin/gantry daemon --root ${root} --host unix://${engineSocket}
Restart=always
RestartSec=1
KillMode=process
Delegate=yes

[Install]
WantedBy=multi-user.target
`;
}
