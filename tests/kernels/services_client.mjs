/**
 * What an editor outside the browser does with an 'existing server', on JupyterLab's own library and a websocket of
 * Node's: token in a header and no cookie, sessions of a name and a path of its own making, one kernel for both editors.
 *
 * node services_client.mjs URL TOKEN: prints one JSON object of what it saw.
 */
import crypto from 'node:crypto';

import services from '@jupyterlab/services';
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
const authorization = { Authorization: `token ${token}` };

class HeaderWebSocket extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { headers: authorization });
  }
}

function managers() {
  const serverSettings = services.ServerConnection.makeSettings({
    baseUrl: `${url}/`,
    wsUrl: `${url.replace('http', 'ws')}/`,
    token: '',
    appUrl: '',
    init: { cache: 'no-store', credentials: 'same-origin', headers: authorization },
    WebSocket: HeaderWebSocket
  });
  const kernelManager = new services.KernelManager({ serverSettings });
  const sessionManager = new services.SessionManager({ serverSettings, kernelManager });
  const specs = new services.KernelSpecManager({ serverSettings });
  return { serverSettings, kernelManager, sessionManager, specs };
}

const status = (kernel, wanted) =>
  new Promise(resolve => {
    const look = () =>
      kernel.status === wanted ? (kernel.statusChanged.disconnect(look), resolve()) : undefined;
    kernel.statusChanged.connect(look);
    look();
  });

/** Printed text, results, and how it ended. */
async function run(kernel, code, { answer, began = () => undefined } = {}) {
  const said = [];
  const future = kernel.requestExecute(
    { code, allow_stdin: true, stop_on_error: false, store_history: true },
    false,
    {
      cellId: `vscode-notebook-cell:/notebook.ipynb#${crypto.randomUUID()}`
    }
  );
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === 'stream') {
      said.push(content.text);
      began();
    } else if (header.msg_type === 'execute_result' || header.msg_type === 'display_data') {
      said.push(content.data['text/plain']);
    } else if (header.msg_type === 'error') {
      said.push(content.ename);
    }
  };
  future.onStdin = () => future.sendInputReply({ status: 'ok', value: answer });
  const reply = await future.done;
  return { said: said.join(''), status: reply.content.status };
}

async function main() {
  const seen = {};
  const mine = managers();
  await mine.sessionManager.ready;
  await mine.specs.refreshSpecs();
  seen.specs = Object.keys(mine.specs.specs.kernelspecs);
  seen.listed = (await services.KernelAPI.listRunning(mine.serverSettings)).length;

  const name = `notebook-${crypto.randomUUID()}.ipynb`;
  const options = { path: name, name, type: 'notebook', kernel: { name: 'python3' } };
  const session = await mine.sessionManager.startNew(options, {
    kernelConnectionOptions: { handleComms: true }
  });
  const kernel = session.kernel;
  await status(kernel, 'idle');
  seen.info = (await kernel.info).language_info.name;
  seen.first = await run(kernel, 'x = 20\nprint(x)\nx + 1');
  seen.asked = await run(kernel, 'input("Name? ") * 2', { answer: 'ada' });
  seen.completed = (await kernel.requestComplete({ code: 'prin', cursor_pos: 4 })).content.matches;
  seen.inspected = (await kernel.requestInspect({ code: 'x', cursor_pos: 1, detail_level: 0 })).content.found;

  // A widget's messages both ways, with a buffer.
  const target = new Promise(resolve =>
    kernel.registerCommTarget('editor', (comm, message) => resolve({ comm, message }))
  );
  await run(
    kernel,
    'from ipykernel.comm import Comm\n' +
      'comm = Comm(target_name="editor", data={"hello": 2}, buffers=[b"abc"])\n' +
      'comm.on_msg(lambda message: comm.send({"echo": message["content"]["data"]}))'
  );
  const { comm, message } = await target;
  seen.opened = [
    message.content.data,
    Buffer.from(message.buffers[0].buffer ?? message.buffers[0]).toString()
  ];
  const echoed = new Promise(resolve => (comm.onMsg = resolve));
  comm.send({ moved: 5 });
  seen.echoed = (await echoed).content.data;

  let began;
  const begun = new Promise(resolve => (began = resolve));
  const slow = run(kernel, 'import time\nprint("begun", flush=True)\ntime.sleep(600)', { began });
  await begun; // Python passes over an interrupt that comes before the code itself runs
  await kernel.interrupt();
  seen.interrupted = (await slow).said.includes('KeyboardInterrupt');

  // The editor's line breaks, and comes back to the same kernel.
  await kernel.reconnect();
  seen.reconnected = (await run(kernel, 'x')).said;
  // A second window finds it among those that run, and shares it.
  const other = managers();
  await other.sessionManager.ready;
  await other.sessionManager.refreshRunning();
  const models = [...other.sessionManager.running()];
  seen.running = models.filter(one => one.id === session.id).map(one => [one.name, one.type]);
  const again = other.sessionManager.connectTo({ model: models.find(one => one.id === session.id) });
  await again.kernel.info;
  seen.shared = (await run(again.kernel, 'x += 1\nx')).said;

  await kernel.restart();
  await status(kernel, 'idle');
  seen.restarted = (await run(kernel, 'x')).said;
  await session.shutdown();
  seen.left = (await services.SessionAPI.listRunning(mine.serverSettings)).filter(
    one => one.id === session.id
  ).length;
  console.log(JSON.stringify(seen));
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error);
    process.exit(1);
  }
);
