#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# One pool, one server: the second one is refused and names the first one's
# PID, also when the first has gone into the background; a relative path is
# found again by a server in the background.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need nbdinfo libnbd-bin

serve s "pool=$tmp/pool" size=16M
refused "$tmp/pool.* ${server_pid[s]}\b" "pool=$tmp/pool"
refused "$tmp/pool.* ${server_pid[s]}\b" "pool=$tmp/pool" size=16M format=force
refused "$tmp/pool.* ${server_pid[s]}\b" -r -- "pool=$tmp/pool"
ln "$tmp/pool" "$tmp/link"
ln -s pool "$tmp/symlink"
refused " ${server_pid[s]}\b" "pool=$tmp/link"
refused " ${server_pid[s]}\b" "pool=$tmp/symlink"
nbdinfo --size "$(uri s)" >/dev/null || fail "the first server does not serve any more"
stop s

# Into the background, with a relative path.
(cd "$tmp" && env "${preload[@]}" nbdkit -U "$tmp/d.sock" -P "$tmp/d.pid" "$PRMEM_PLUGIN" pool) >"$tmp/d.log" 2>&1 ||
	fail "no server in the background"
deadline=$((SECONDS + wait_s))
until [ -s "$tmp/d.pid" ]; do
	[ $SECONDS -lt $deadline ] || fail "no PID of the server in the background"
	sleep 0.02
done
pid=$(cat "$tmp/d.pid")
# shellcheck disable=SC2034 # for clean_up
server_pid[d]=$pid
is "$(nbdinfo --size "$(uri d)")" 16777216 "size from the background"
refused "$tmp/pool.* $pid\b" "pool=$tmp/pool"
kill -9 "$pid"
while kill -0 "$pid" 2>/dev/null; do
	[ $SECONDS -lt $deadline ] || fail "the server in the background does not die"
	sleep 0.02
done
unset "server_pid[d]"

# --run: the same process family, served and gone.
env "${preload[@]}" nbdkit -U - "$PRMEM_PLUGIN" "$tmp/pool" --run 'nbdinfo --size "$uri"' >"$tmp/run.out" 2>"$tmp/run.log"
is "$(cat "$tmp/run.out")" 16777216 "size with --run"
serve s "pool=$tmp/pool"
