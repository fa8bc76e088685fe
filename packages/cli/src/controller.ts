import { type ControllerClient, connectController, daemonEntry, findDirectories } from '@silverlining/controller';
import { VERSION } from '@silverlining/protocol';
import { type Context, note } from './context.ts';

/** The client of the running controller, which is started first when there is none. */
export async function connect(context: Context): Promise<ControllerClient> {
  const directories = findDirectories(context.env);
  const options = { directories, entry: daemonEntry(), version: VERSION, env: context.env };
  const { client, info, started } = await connectController(options);
  if (started) note(context, context.paintError('dim', `started the controller (pid ${info.pid})`));
  return client;
}
