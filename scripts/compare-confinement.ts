import { readlinkSync } from 'node:fs';
import { run } from '../src/lib/run.ts';

// Runs one probe in containers of two engines and prints the lines in which what it sees differs.
//   node scripts/compare-confinement.ts unix:///run/gantry/gantry.sock unix:///run/docker.sock IMAGE
// Both must have the image, a busybox, or a Debian with perl, which also tries every system call.
// docs/security.md explains the lines that are known to differ.

const cases: Readonly<Record<string, readonly string[]>> = {
  default: [],
  privileged: ['--privileged'],
  'cap-drop ALL': ['--cap-drop', 'ALL'],
  'cap-add NET_ADMIN': ['--cap-add', 'NET_ADMIN'],
  'user 1000': ['--user', '1000:1000'],
  'read-only': ['--read-only'],
  'cgroupns private': ['--cgroupns', 'private'],
  'no-new-privileges': ['--security-opt', 'no-new-privileges'],
  'systempaths unconfined': ['--security-opt', 'systempaths=unconfined'],
  'network none': ['--network', 'none'],
  'network host': ['--network', 'host'],
  'pid host': ['--pid', 'host'],
  'ipc none': ['--ipc', 'none'],
  'uts host': ['--uts', 'host'],
  limits: ['-m', '64m', '--pids-limit', '99', '--ulimit', 'nofile=64:128', '--oom-score-adj', '77'],
  device: ['--device', '/dev/null:/dev/other:r', '--device-cgroup-rule', 'c 7:* rmw'],
};

const namespaces = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];

const lastCall = 469;

/**
 * Perl: what each system call gives for arguments of no sense, in a process of its own. What a filter bars is EPERM
 * or ENOSYS.
 */
const everyCall = `
for my $call (0..${lastCall}) {
  my $child = fork;
  if (!$child) { alarm 2; my $result = syscall($call, (-1) x 6); exit($result == -1 ? $! + 0 : 0) }
  waitpid $child, 0;
  print "$call ", $? & 127 ? "signal " . ($? & 127) : "errno " . ($? >> 8), "\\n";
}`;

/** Prints `section: line`s. */
const probe = `
say() { while read -r line; do echo "$1: $line"; done; }
grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups)' /proc/self/status | say status
cut -d' ' -f4- /proc/self/mountinfo | say mount
ls -ln /dev /dev/pts | sed 's/ [A-Z][a-z][a-z] [ 0-9][0-9] *[0-9:]* / /' | grep -v ^total | say dev
cat /sys/fs/cgroup/devices/devices.list 2>/dev/null | say device-cgroup
cat /proc/self/cgroup | say cgroup
cat /proc/self/limits | say limits
cat /proc/self/oom_score_adj | say oom
cat /proc/self/uid_map /proc/self/gid_map | say idmap
cat /proc/self/attr/current 2>&1 | say attr
for n in ${namespaces.join(' ')}; do echo "$n $(readlink /proc/self/ns/$n)"; done | say namespace
env | sort | say env
cat /etc/hostname /etc/hosts /etc/resolv.conf | say file
find /proc/sys/net/ipv4/ip_* /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/hostname /proc/sys/kernel/domainname \\
  /proc/sys/kernel/shm* /proc/sys/kernel/msg* /proc/sys/fs/mqueue -type f | while read -r f; do echo "$f $(cat $f 2>&1)"; done | say sysctl
for f in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi \\
  /proc/timer_list /proc/sysrq-trigger /proc/bus /proc/fs /proc/irq /proc/sys /sys/firmware /sys/devices/virtual/powercap; do
  echo "$f $(ls $f 2>&1 | wc -l) $(cat $f 2>/dev/null | head -c 9 | wc -c)"; done | say hidden
for f in /sys /sys/fs/cgroup /proc/sys /proc/sysrq-trigger /proc/irq /etc/hosts /; do
  if [ -w $f ]; then echo "$f writable"; else echo "$f not"; fi; done | say write
mount -t tmpfs none /mnt 2>&1 | say try-mount
unshare -m true 2>&1 | say try-unshare
chroot / true 2>&1 | say try-chroot
dmesg 2>&1 | head -1 | cut -c1-5 | say try-dmesg
mknod /tmp/sda b 8 0 2>&1 && cat /tmp/sda 2>&1 | head -c 1 | wc -c | say try-mknod
command -v perl >/dev/null && perl -e '${everyCall}' | say syscall
ls -l /proc/self/fd | awk 'NR > 1 {print $9, $11}' | say fd
`;

/** What is a container's own chance, and where its engine keeps things, out of a line. */
function normal(line: string, host: Readonly<Record<string, string>>): string {
  const [, name = '', link = ''] = /^namespace: (\w+) (.*)/.exec(line) ?? [];
  if (name !== '') return `namespace: ${name} ${link === host[name] ? "the host's" : 'its own'}`;
  return line
    .replace(/\b[0-9a-f]{64}\b/g, 'ID')
    .replace(/\b[0-9a-f]{12}\b/g, 'NAME')
    .replace(/(pipe|socket):\[\d+\]/g, '$1')
    .replace(/\/(gantry-[0-9a-f]+|docker)\/ID/g, '/PARENT/ID')
    .replace(/(lowerdir|upperdir|workdir)=[^,]*/g, '$1=…')
    .replace(/\S+\/containers\/ID\//g, 'STATE/')
    .replace(/\/proc\/\d+\//g, '/proc/PID/')
    .replace(/\b(\d{1,3}\.){3}\d{1,3}\b/g, (address) => (address.startsWith('127.') ? address : 'ADDRESS'));
}

async function look(engine: string, image: string, options: readonly string[]): Promise<string[]> {
  const host = Object.fromEntries(namespaces.map((name) => [name, readlinkSync(`/proc/self/ns/${name}`)]));
  try {
    const args = ['-H', engine, 'run', '--rm', ...options, image, 'sh', '-c', probe];
    const { stdout } = await run('docker', args);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => normal(line, host));
  } catch (error) {
    return [`failed: ${normal(String(error), host).split('\n')[0] ?? ''}`];
  }
}

/** The lines of `one` that `other` lacks, each as often as it is there once more. */
function missing(one: readonly string[], other: readonly string[]): string[] {
  const rest = [...other];
  return one.filter((line) => {
    const at = rest.indexOf(line);
    if (at !== -1) rest.splice(at, 1);
    return at === -1;
  });
}

const [ours = '', theirs = '', image = ''] = process.argv.slice(2);
if (image === '') throw new Error('usage: compare-confinement.ts GANTRY_HOST DOCKER_HOST IMAGE');
for (const [name, options] of Object.entries(cases)) {
  const [here, there] = await Promise.all([look(ours, image, options), look(theirs, image, options)]);
  process.stdout.write(`${name}: ${here.length} lines\n`);
  for (const line of missing(there, here)) process.stdout.write(`  - ${line}\n`);
  for (const line of missing(here, there)) process.stdout.write(`  + ${line}\n`);
}
