/** Which packages a notebook's kernel has, asked without a trace in its history. */
import type { Kernel } from '@jupyterlab/services';

/** The kernel cannot tell. */
export class KernelRefusal extends Error {}

/** As the workers tell theirs; numpy is asked only when it is there. */
const INSTALLED = `
import platform, sys
from importlib.metadata import distributions
found = {}
for one in distributions():
    if one.metadata["Name"]:
        local = "dir_info" in (one.read_text("direct_url.json") or "")
        version = f"{one.version} from a folder" if local else one.version
        found.setdefault(one.metadata["Name"].lower().replace("_", "-").replace(".", "-"), version)
found["python"] = platform.python_version()
found["platform"] = f"{platform.system()} {platform.machine()}"
if "numpy" in sys.modules:
    try:
        blas = sys.modules["numpy"].show_config(mode="dicts")["Build Dependencies"]["blas"]
        found["blas"] = f"{blas.get('name', '')} {blas.get('version', '')}".strip()
    except (AttributeError, KeyError, TypeError):
        pass
`;

/** One expression in a namespace of its own: nothing is left in the person's. */
const PACKAGES = `(lambda scope: (exec(${JSON.stringify(INSTALLED)}, scope), __import__('IPython.display').display.JSON(scope['found']))[1])({})`;

/**
 * Versions by distribution, with 'python', 'platform' and 'blas' among them.
 *
 * Throws a `KernelRefusal` when the kernel does not tell.
 */
export async function packagesOf(kernel: Kernel.IKernelConnection): Promise<Record<string, string>> {
  const { language_info: language } = await kernel.info;
  if (language.name !== 'python') {
    throw new KernelRefusal(language.name);
  }
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    stop_on_error: false,
    user_expressions: { packages: PACKAGES }
  });
  const { content } = await future.done;
  const told = content.status === 'ok' ? content.user_expressions.packages : undefined;
  const found = told as { data?: Record<string, unknown>; evalue?: string } | undefined;
  const json = found?.data?.['application/json'];
  if (!json) {
    throw new KernelRefusal(found?.evalue ?? content.status);
  }
  return json as Record<string, string>;
}
