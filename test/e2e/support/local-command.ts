/** A process that creates or destroys a local node, for tests to kill: `local-command.ts STATE CACHE create|destroy UUID`. */
import { LocalProvider, LocalSite } from '../../../packages/controller/src/io/provider/index.ts';

const [state = '', cache = '', action, uuid = ''] = process.argv.slice(2);
const provider = new LocalProvider(new LocalSite({ state, cache }));
const { signal } = new AbortController();
if (action === 'destroy') {
  await provider.destroy(uuid, signal);
} else {
  const request = { uuid, name: 'app1.example.internal', set: 'kill', size: undefined, image: undefined };
  await provider.create(request, () => undefined, signal);
}
