import { expect, it } from 'vitest';
import { parseServersState } from './servers-state.ts';

it('tells the servers that are up from those that are not', () => {
  const text = [
    '1',
    '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight',
    '4 appservers 1 app1.demo.internal 10.0.0.2 2 0 1 1',
    '4 appservers 2 app2.demo.internal 10.0.0.3 0 0 1 1',
    '',
  ].join('\n');
  expect(parseServersState(text)).toEqual({ 'app1.demo.internal': true, 'app2.demo.internal': false });
});

it('knows none where there are none', () => {
  expect(parseServersState("Can't find backend.\n")).toEqual({});
});
