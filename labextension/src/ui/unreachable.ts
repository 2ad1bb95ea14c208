/** The compiler refuses a call of this when a case was forgotten. */
export function unreachable(value: never): never {
  throw new Error(`Unexpected value: ${String(value)}`);
}
