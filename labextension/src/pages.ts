export function addPages(..._: unknown[]): void {}
