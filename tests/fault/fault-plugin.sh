#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Starting the server while calls of the system fail, one after the other: it
# serves, or says in one line why not, and the pool is as it was.  FAULT_START_STEP:
# try each N-th call only, from a random one on (1: all).
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd
case ${PRMEM_SANITIZERS:-no} in
no | '') ;;
*) skip "the sanitizer has allocations of its own" ;;
esac
preload_so=${top_builddir:?}/tests/fault/.libs/preload.so
prmemctl=$top_builddir/prmemctl
step=${FAULT_START_STEP:-24}
owner_page=1
nr=0 nr_refused=0

# A pool as a killed server leaves it.
serve s "pool=$tmp/good" sizes=1M,2M pool-size=4M
"$python" -c 'import nbd, sys; h = nbd.NBD(); h.connect_uri(sys.argv[1]); h.pwrite(b"kept" * 9999, 5)' "$(uri s)"
stop s KILL

# start [NBDKIT-OPTION...] -- PARAMETER... - run nbdkit with the n-th call
# failing; the caller sets $n.
start() {
	local options=() errors
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	# A socket of its own: what "-U -" makes stays when nbdkit ends early.
	rm -f "$tmp/failed" "$tmp/start.sock"
	status=0
	FAULT_LOG=$tmp/failed FAULT_AT=$n LD_PRELOAD=$preload_so timeout "$wait_s" nbdkit -f -U "$tmp/start.sock" "${options[@]}" \
		"$PRMEM_PLUGIN" "$@" --run true >"$tmp/start.out" 2>&1 </dev/null || status=$?
	failed=$(cat "$tmp/failed" 2>/dev/null || true)
	errors=$(grep -c '^nbdkit: .*error: ' "$tmp/start.out" || true)
	case $status in
	0) ;;
	1) [ "$errors" -eq 1 ] || fail "call $n ($failed): $errors error lines: $(cat "$tmp/start.out")" ;;
	*) fail "call $n ($failed): status $status: $(cat "$tmp/start.out")" ;;
	esac
	[ "$failed" ] || [ "$status" -eq 0 ] || fail "no call failed, and status $status: $(cat "$tmp/start.out")"
	[ -z "$failed" ] || nr=$((nr + 1))
	nr_refused=$((nr_refused + status))
}

# is_sound FILE - it opens, and has no damage.
is_sound() {
	"$prmemctl" scrub "$1" >"$tmp/check.out" 2>&1 ||
		fail "call $n ($failed): the pool is not sound: $(cat "$tmp/check.out")"
}

# all FUNCTION - call it for each n until no call fails.
all() {
	n=$((RANDOM % step + 1))
	while :; do
		"$1"
		[ "$failed" ] || break
		n=$((n + step))
	done
}

# content FILE - a digest of all but the owner record: a server that gives up
# after it has opened the pool has been its owner.
content() {
	{
		head -c "$((owner_page * 4096))" "$1"
		tail -c "+$(((owner_page + 1) * 4096 + 1))" "$1"
	} | sha256sum
}

new_pool() {
	rm -f "$tmp/new"
	start -- "pool=$tmp/new" sizes=1M,2M
	if [ "$status" -eq 0 ]; then
		is_sound "$tmp/new"
	elif [ -e "$tmp/new" ] && [ "$failed" != msync ]; then
		fail "call $n ($failed): a refused start left a new pool"
	fi
}

old_pool() {
	local before
	cp "$tmp/good" "$tmp/old"
	before=$(content "$tmp/old")
	start "$@" -- "pool=$tmp/old" size=1M
	if [ "$status" -ne 0 ] && [ "$failed" != msync ] && [ "$(content "$tmp/old")" != "$before" ]; then
		fail "call $n ($failed): a refused start changed the pool"
	fi
	is_sound "$tmp/old"
}

old_pool_read_only() {
	old_pool -r
}

new_disk() {
	cp "$tmp/good" "$tmp/old"
	start -- "pool=$tmp/old" disk=third size=1M
	is_sound "$tmp/old"
}

all new_pool
all old_pool
all old_pool_read_only
all new_disk
echo "starts of the server with a failing call: $nr, refused: $nr_refused"
[ "$nr_refused" -gt 0 ] || fail "nothing failed"
