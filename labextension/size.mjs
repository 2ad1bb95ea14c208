/**
 * Measures what a production build makes the browser load before the panel opens: `jlpm size`.
 *
 * JupyterLab fetches the remote entry; that fetches the plugin's module. Styles come with what they draw. Jupyter serves
 * static files uncompressed, so the size on disk is what travels.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const KIB = 50;
const REQUESTS = 3;

const { jupyterlab } = JSON.parse(readFileSync('package.json', 'utf8'));
const folder = join(jupyterlab.outputDir, 'static');
const { _build: build } = JSON.parse(
  readFileSync(join(jupyterlab.outputDir, 'package.json'), 'utf8')
).jupyterlab;
const files = readdirSync(folder).filter(name => name.endsWith('.js'));
if (readdirSync(folder).some(name => name.endsWith('.map'))) {
  console.error('This is a development build. Run `jlpm build:prod`, then ask again.');
  process.exit(2);
}

const entry = build.load.replace(/^static\//, '');
/** Chunks that are named by the module which the page asks for at start. */
const chunks = chunksOf(readFileSync(join(folder, entry), 'utf8'));
const first = [entry, ...chunks];
const size = name => statSync(join(folder, name)).size;
const total = first.reduce((sum, name) => sum + size(name), 0);
for (const name of first) {
  console.log(`${(size(name) / 1024).toFixed(1).padStart(8)} KiB  ${name}`);
}
console.log(
  `${(total / 1024).toFixed(1).padStart(8)} KiB  at start, in ${first.length} requests; at most ${KIB} in ${REQUESTS}`
);
const rest = files.filter(name => !first.includes(name)).reduce((sum, name) => sum + size(name), 0);
console.log(`${(rest / 1024).toFixed(1).padStart(8)} KiB  on demand`);
if (total > KIB * 1024 || first.length > REQUESTS) {
  process.exit(1);
}

/** `./extension` and `./style` each promise some chunks: the numbers in `.e(…)` of the exposed modules. */
function chunksOf(source) {
  const exposed =
    source.match(
      /"?\.\/(?:extension|style)"?:\s*(?:function\s*\(\)|\(\)\s*=>)[^]*?(?="?\.\/|\},\s*\w+\s*=|$)/g
    ) ?? [];
  const numbers = new Set(
    exposed.flatMap(text => [...text.slice(0, 400).matchAll(/\.e\("?([\w-]+)"?\)/g)].map(found => found[1]))
  );
  return files.filter(name => numbers.has(name.split('.')[0]));
}
