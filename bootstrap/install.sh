# Puts Silver Lining's agent onto a node. Runs as root under any POSIX sh with coreutils, findutils and gzip; asks for
# nothing else. Standard input brings this script, then one order a line; standard output answers: lines that begin with `silver:`.
# An order that fails ends the run. Whatever is cut off in between leaves the node as it was: files come by rename, and
# the agent is only started by the last order. $1 is SSH_CONNECTION of the login shell, which sudo would hide.
set -eu
umask 077
base=/opt/silverlining
conf=/etc/silverlining

# What the shell's start-up files wrote may end in the middle of a line.
echo

say() { printf 'silver:%s\n' "$*"; }
fail() { say "failed $*"; exit 1; }

put() { # path mode length sha256 plain|gzip
  # Apps run the runtime too; what is private lies in a folder that is.
  (umask 022 && mkdir -p -- "${1%/*}")
  new="$1.$$.tmp"
  if [ "$5" = gzip ]; then head -c "$3" | gzip -dc > "$new"; else head -c "$3" > "$new"; fi ||
    fail "$1 could not be written: is the disk full?"
  [ "$(sha256sum < "$new")" = "$4  -" ] || { rm -f -- "$new"; fail "$1 arrived damaged, or the disk is full"; }
  chmod "$2" "$new"
  sync "$new"
  mv -f -- "$new" "$1"
  sync "${1%/*}"
}

link() { # path target
  ln -s -- "$2" "$1.$$.tmp"
  mv -fT -- "$1.$$.tmp" "$1"
  sync "${1%/*}"
}

enrol() { # generation; prints the certificate request
  rm -rf -- "$conf/identity/$1"
  mkdir -p -- "$conf/identity/$1"
  "$base/node" "$base/enrol.js" key "$conf/identity/$1/key.pem" > "$base/request.pem.$$.tmp" 2>&1 ||
    fail "no key could be made: $(tail -n 1 "$base/request.pem.$$.tmp")"
  while read -r line; do say "line $line"; done < "$base/request.pem.$$.tmp"
}

reach() { # host port
  reason=$("$base/node" "$base/enrol.js" reach "$1" "$2" 2>&1) || fail "unreachable $reason"
}

is_run() { # path; the kernel lets nobody write to a file that is run
  [ -f "$1" ] && ! (: <> "$1") 2> /dev/null
}

start() { # generation runtime bundle; earlier ones go, but for runtimes that apps run under yet
  find "$conf/identity" -mindepth 1 -maxdepth 1 ! -name "$1" -exec rm -rf -- {} +
  for folder in "$base"/runtime/*; do
    [ "${folder##*/}" = "$2" ] || is_run "$folder/node" || rm -rf -- "$folder"
  done
  find "$base/agent" -mindepth 1 -maxdepth 1 ! -name "$3" -exec rm -rf -- {} +
  rm -f -- "$base/enrol.js"
  find "$base" "$conf" -name '*.tmp' -exec rm -rf -- {} +
  mkdir -p /var/lib/silverlining/agent
  chmod 755 /var/lib/silverlining
  systemctl daemon-reload
  systemctl --quiet enable silver-agent.service
  systemctl restart silver-agent.service || fail "silver-agent.service did not start"
}

[ "$(id -u)" = 0 ] || fail "not root"
[ -d /run/systemd/system ] || fail "systemd does not run on this node"
for tool in head gzip sha256sum find sync systemctl; do
  command -v "$tool" > /dev/null || fail "$tool is not installed on this node"
done
mkdir -p "$base/runtime" "$base/agent" "$conf"
chmod 755 "$base" "$base/runtime" "$base/agent" "$conf"

say "arch $(uname -m)"
say "os $(. /etc/os-release && printf '%s %s' "$ID" "${VERSION_ID:-}")"
say "seen ${1%% *}"
[ ! -f "$conf/agent.json" ] || say "set $(sed -n 's/.*"set":"\([a-z0-9-]*\)".*/\1/p' "$conf/agent.json")"
# What a failing disk made something else of is sent again: the folder's name is the digest.
for file in "$base"/runtime/*/node "$base"/agent/*/agent.js; do
  folder=${file%/*}
  [ ! -f "$file" ] || [ "$(sha256sum < "$file")" != "${folder##*/}  -" ] || say "has $file"
done
say ready

while read -r order a b c d e; do
  case "$order" in
    put) put "$a" "$b" "$c" "$d" "$e" ;;
    link) link "$a" "$b" ;;
    enrol) enrol "$a" ;;
    reach) reach "$a" "$b" ;;
    start) start "$a" "$b" "$c" ;;
    bye) say ok; exit 0 ;;
    *) fail "unknown order $order" ;;
  esac
  say ok
done
# The other end is gone without a word.
exit 1
