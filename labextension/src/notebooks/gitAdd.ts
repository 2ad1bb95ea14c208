/** What to type in the notebook's folder once its conflicts are settled. */
export function gitAdd(path: string): string {
  const name = path.split('/').pop() ?? path;
  const word = /^[\w.][\w.-]*$/.test(name) ? name : `'${name.replace(/'/g, "'\\''")}'`;
  return `git add -- ${word} && git commit`;
}
