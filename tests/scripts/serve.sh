#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# scripts/serve serves a disk, says where, stops on Ctrl-C with status 0, and
# finds the data again; installing and building are left out.
. "${top_srcdir:?}/tests/walls/functions.sh"
need nbdkit nbdkit
need nbdcopy libnbd-bin
need nbdinfo libnbd-bin
[ "${PRMEM_SANITIZERS-no}" = no ] || skip "nbdkit is not built with the sanitizers"

export PRMEM_NO_INSTALL=1 PRMEM_BUILD=$top_builddir PRMEM_STATE=$tmp/state
serve=$top_srcdir/scripts/serve
pid=
trap '[ -z "$pid" ] || kill "$pid"; wait; rm -rf "$tmp"' EXIT

# start [ARGUMENT...] - run scripts/serve until it says where it serves.
start() {
	# What the former one said must not be taken for this one's.
	: >"$tmp/out"
	# A background job of a script ignores SIGINT, one of a terminal does not.
	env --default-signal=INT "$serve" "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	local deadline=$((SECONDS + 60))
	until grep -q '^serving at' "$tmp/out"; do
		kill -0 "$pid" 2>/dev/null || { cat "$tmp/out" "$tmp/err"; echo "serve $* ended before it served"; exit 1; }
		[ $SECONDS -lt $deadline ] || { cat "$tmp/out" "$tmp/err"; echo "serve $* does not serve after 60 s"; exit 1; }
		sleep 0.05
	done
	uri=$(sed -n 's/^serving at //p' "$tmp/out")
}

# stop SIGNAL - stop it as a person would, expect status 0.
stop() {
	local status=0
	kill -"$1" "$pid"
	wait "$pid" || status=$?
	pid=
	[ "$status" -eq 0 ] || wrong "serve ended with status $status after SIG$1: $(cat "$tmp/err")"
}

start
[ "$(nbdinfo --size "$uri")" = $((1 << 30)) ] || wrong "the disk is not 1 GiB: $(nbdinfo --size "$uri")"
for command in nbdinfo nbdcopy nbd-client; do
	grep -q "  .*$command .*$PRMEM_STATE/socket" "$tmp/out" || wrong "no $command line to type next: $(cat "$tmp/out")"
done
head -c 3000000 /dev/urandom >"$tmp/data"
truncate -s 3M "$tmp/data"
nbdcopy "$tmp/data" "$uri" || wrong "nbdcopy to the disk failed"

# A second one says so and leaves the first alone.
if "$serve" >"$tmp/second" 2>&1; then
	wrong "a second serve on the same state was not refused"
fi
grep -q 'already serving' "$tmp/second" || wrong "the refusal does not say why: $(cat "$tmp/second")"
nbdinfo --size "$uri" >/dev/null || wrong "the refused second serve disturbed the first"
stop INT
[ ! -e "$PRMEM_STATE/socket" ] || wrong "the socket was left behind"

start
nbdcopy "$uri" "$tmp/back" || wrong "nbdcopy from the disk failed"
cmp -n 3145728 "$tmp/data" "$tmp/back" || wrong "the second run does not have the data of the first"
stop TERM

# A pool and sizes of one's own, by parameter and by bare path.
start "pool=$tmp/own" sizes=64M,32M
nbdinfo --list "$uri" | grep -q pram1 || wrong "sizes= did not go through: no pram1"
stop TERM
start "$tmp/own"
[ "$(nbdinfo --size "$uri")" = $((64 << 20)) ] || wrong "a bare path is not taken as the pool"
stop TERM

# An error ends it with a status and the plugin's message.
if "$serve" "pool=$tmp/own" nonsense=1 >"$tmp/second" 2>&1; then
	wrong "an unknown parameter was not refused"
fi
grep -q nonsense "$tmp/second" || wrong "the error does not name the parameter: $(cat "$tmp/second")"
exit $errors
