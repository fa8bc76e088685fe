#!/bin/sh
# Deploys by rsync with hard links to all hosts at once, then switches a link on all of them; or switches it back.
# Usage: rsync-deploy.sh deploy|rollback, with HOSTS (a file of addresses), SSH_CONFIG, SOURCE, ROOT, RSYNC_OPTIONS.
set -eu

each() { xargs --arg-file="$HOSTS" --max-procs=0 --replace="$@"; }

case $1 in
deploy)
  release=$(date +%Y%m%d%H%M%S%N)
  # shellcheck disable=SC2086 # Options are words.
  each HOST rsync --archive --delete $RSYNC_OPTIONS --link-dest="$ROOT/current/" --rsh="ssh -F $SSH_CONFIG" \
    "$SOURCE/" "HOST:$ROOT/releases/$release/"
  each HOST ssh -F "$SSH_CONFIG" HOST \
    "cd $ROOT && ln -sfn releases/$release next && mv -Tf next current"
  ;;
rollback)
  # The release before the one that is live.
  each HOST ssh -F "$SSH_CONFIG" HOST \
    "cd $ROOT && before=\$(ls releases | grep -B1 -Fx \"\$(basename \"\$(readlink current)\")\" | head -n1) &&
     ln -sfn \"releases/\$before\" next && mv -Tf next current"
  ;;
esac
