/** Programs for root alone are found too: cron's `PATH`, and a user's that `su` keeps, lack their directories. */
export function completeSearchPath(environment: NodeJS.ProcessEnv = process.env): void {
  const given = environment['PATH'];
  environment['PATH'] = `${given ? `${given}:` : ''}/usr/local/sbin:/usr/sbin:/sbin`;
}
