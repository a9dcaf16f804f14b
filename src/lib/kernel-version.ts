/** Compares the first two numbers: `kernelAtLeast('6.1.0-13-amd64', '5.12')`. */
export function kernelAtLeast(version: string, minimum: string): boolean {
  const [major = 0, minor = 0] = version.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = minimum.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
