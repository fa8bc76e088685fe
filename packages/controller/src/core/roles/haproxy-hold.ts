/**
 * New requests wait while several balancers take a new map: otherwise one would answer with the new release while another
 * still sends to the old one. Until when at most stands in a map, so that nothing waits for long should nobody end it.
 */

export const HOLD_MAP = '/etc/haproxy/silverlining/hold.map';
export const HOLD_SCRIPT = '/etc/haproxy/silverlining/hold.lua';

/** Seconds since 1970; 0 for nobody waits. */
export const HOLD_MAP_TEXT = 'till 0\n';

/** os.time, because core.now is HAProxy's own idea of the time. */
export const HOLD_SCRIPT_TEXT = `-- Written by Silver Lining; changes are overwritten.
local hold = Map.new('${HOLD_MAP}', Map._str)
local function is_held()
    return tonumber(hold:lookup('till') or '0') > os.time()
end
core.register_action('silver_hold', { 'http-req' }, function()
    while is_held() do core.msleep(2) end
end, 0)
`;

export const HOLD_RULE = `http-request lua.silver_hold if { str(till),map_str_int(${HOLD_MAP},0) gt 0 }`;
