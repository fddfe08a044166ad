#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGINT and SIGTERM in the middle of whatever takes long, without a server and
# with one: the old state or the new one, nothing left over, and the status says
# so. In the middle is where work is held up, by a library that is loaded first.
. "${top_srcdir:?}/tests/ctl/functions.sh"

cat >"$tmp/hold.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* As long as there is that file; another one says so. */
static int
hold(void)
{
	const char *file = getenv("PRMEM_HOLD");
	char held[PATH_MAX];

	if (file == NULL || access(file, F_OK) < 0)
		return 0;
	snprintf(held, sizeof held, "%s.held", file);
	close(open(held, O_WRONLY | O_CREAT, 0600));
	while (access(file, F_OK) == 0)
		usleep(1000);
	return 1;
}

/* prmemctl asks for the time when work begins, and then whenever it is told how far that is: the third time. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int nr;
	Dl_info info;

	if (id == CLOCK_MONOTONIC && dladdr(__builtin_return_address(0), &info) != 0 &&
	    strstr(info.dli_fname, "prmemctl") != NULL && ++nr == 3)
		hold();
	return (int)syscall(SYS_clock_gettime, id, ts);
}

/* A server's work looks whether its client has left.  Who was held up sees it leave. */
int
poll(struct pollfd *fds, nfds_t nr, int ms)
{
	static int (*next)(struct pollfd *fds, nfds_t nr, int ms);

	if (next == NULL)
		next = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
	return next(fds, nr, nr == 1 && fds[0].events == POLLRDHUP && hold() ? 10000 : ms);
}
C
# Not with a sanitizer's flags: it is loaded into programs that have it, and into others.
${CC:-gcc} -shared -fPIC -o "$tmp/hold.so" "$tmp/hold.c" || skip "no ${CC:-gcc} that makes a library"
# A sanitizer's functions of these names would be called first, and these by it: it comes behind.
library=$tmp/hold.so${sanitizer_library:+:$sanitizer_library}
export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:${ASAN_OPTIONS:-}
if [ ${#preload[@]} -gt 0 ]; then
	preload[0]+=:$tmp/hold.so
else
	preload=("LD_PRELOAD=$library")
fi
preload+=("PRMEM_HOLD=$tmp/hold")

pool=$tmp/interrupt.pool
head -c 4M /dev/urandom >"$tmp/image"
yes 'what was removed is not to be found' | head -c 4M >"$tmp/secret" || true
dd if=/dev/zero of="$tmp/blank.orig" bs=1M count=8 status=none
head -c 5M /dev/urandom >"$tmp/other"
echo old >"$tmp/old"
ctl format "$tmp/base.pool" --size 24M --label base >/dev/null
ctl import "$tmp/base.pool" disk "$tmp/image" >/dev/null
ctl import "$tmp/base.pool" secret "$tmp/secret" >/dev/null
two_pages "$tmp/image"
cp --sparse=always "$tmp/base.pool" "$tmp/damaged.orig"
ctl import "$tmp/damaged.orig" bad "$tmp/two" >/dev/null
damage_index "$tmp/damaged.orig" bad bit

# begin WHERE VERB ARGUMENT... - and wait until it is held up in the middle.
begin() {
	local where=$1 env=()
	shift
	[ "$where" = live ] || env=("LD_PRELOAD=$library" "PRMEM_HOLD=$tmp/hold")
	rm -f "$tmp/hold.held"
	touch "$tmp/hold"
	# A program in the background ignores SIGINT, unless it is told not to.
	env --default-signal=INT "${env[@]}" LD_LIBRARY_PATH="$top_builddir/.libs" \
		"$prmemctl" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null &
	client=$!
	until [ -e "$tmp/hold.held" ]; do
		kill -0 $client 2>/dev/null || fail "$* was not held up: $(cat "$tmp/err")"
		sleep 0.005
	done
}

# interrupt STATUS WHERE VERB ARGUMENT... - it ends so, and says why in one line.
interrupt() {
	local want=$1 status=0
	shift
	begin "$@"
	kill "-$signal" $client
	rm "$tmp/hold"
	wait $client || status=$?
	is "$status" "$want" "$2, $1: status after $signal: $(cat "$tmp/err")"
	is "$(wc -l <"$tmp/err")" 1 "$2, $1: lines after $signal"
	grep -qE '^prmemctl: .*interrupted' "$tmp/err" || fail "$2, $1: not said why: $(cat "$tmp/err")"
	[ ! -s "$tmp/out" ] || fail "$2, $1: said of what was not done: $(cat "$tmp/out")"
}

state() {
	ctl info "$pool" --json && ctl list "$pool" --json && ctl export "$pool" disk - 2>/dev/null | cksum
}
is_as_before() {
	[ "$(state)" = "$before" ]
}
# unchanged WHAT - the pool, and the directory. (A server frees pages a moment later.)
unchanged() {
	wait_s=20 wait_for is_as_before
	is "$(find "$tmp" -name '*.prmem-*' -o -name new.img)" '' "$1: files that are left over"
	ctl check "$pool" >"$tmp/check" || fail "$1: $(cat "$tmp/check")"
}

both() { # WHERE
	before=$(state)
	interrupt 32 "$1" check "$pool"
	unchanged "$1: check"
	interrupt 32 "$1" scrub "$pool"
	unchanged "$1: scrub"
	interrupt 130 "$1" export "$pool" disk "$tmp/new.img"
	unchanged "$1: export"
	interrupt 130 "$1" export "$pool" disk "$tmp/old"
	is "$(cat "$tmp/old")" old "the file that was there"
	interrupt 130 "$1" import "$pool" new "$tmp/image"
	unchanged "$1: import"
	interrupt 130 "$1" import "$pool" disk "$tmp/other" --force
	unchanged "$1: import over another disk"
	# New: the disk is gone from here on, as prmemctl(8) says.
	interrupt 130 "$1" remove "$pool" secret --wipe
	grep -q 'is removed, but not wiped as a whole' "$tmp/err" || fail "not said how it stands: $(cat "$tmp/err")"
	is "$(ctl list "$pool" | awk 'NR > 1 { print $1 }')" disk "$1: disks after a removal"
}
gone() { # WHERE - and whoever opens the pool for writing next goes on with it.
	grep -q 'what was removed is not' "$pool" || fail "$1: it was wiped: not in the middle"
	ctl set "$pool" --label next >/dev/null
	if grep -q 'what was removed is not' "$pool"; then
		fail "$1: the wipe did not go on"
	fi
	ctl scrub "$pool" >"$tmp/check" || fail "$1: $(cat "$tmp/check")"
}

for signal in INT TERM; do
	cp --sparse=always "$tmp/base.pool" "$pool"
	both offline
	gone offline

	# These two are refused while there is a server.
	cp "$tmp/blank.orig" "$tmp/blank"
	interrupt 130 offline format "$tmp/blank"
	cmp "$tmp/blank" "$tmp/blank.orig" || fail "a format that was interrupted has changed something"
	cp --sparse=always "$tmp/damaged.orig" "$tmp/damaged"
	interrupt 32 offline repair "$tmp/damaged" --scrub --keep "$tmp/keep"
	[ ! -e "$tmp/keep" ] || [ -s "$tmp/keep" ] || fail "a file with nothing in it is left over"
	rm -f "$tmp/keep"
	status=0
	ctl repair "$tmp/damaged" >"$tmp/check" || status=$?
	is "$status" 1 "status of a repair after one that was interrupted: $(cat "$tmp/check")"
	ctl scrub "$tmp/damaged" >"$tmp/check" || fail "after both: $(cat "$tmp/check")"

	rm "$pool"
	cp --sparse=always "$tmp/base.pool" "$pool"
	serve s "$pool"
	both live
	stop s
	gone live
	rm "$pool"
done

# The second one ends it at once.
cp --sparse=always "$tmp/base.pool" "$pool"
before=$(state)
begin offline import "$pool" new "$tmp/image"
has_ended() {
	! jobs -r -p | grep -qx "$client"
}
is_killed() { # two signals that come together are one
	kill -INT $client
	sleep 0.05
	has_ended
}
wait_for is_killed
status=0
wait $client || status=$?
rm "$tmp/hold"
is "$status" 130 "status after the second signal"
[ ! -s "$tmp/err" ] || fail "it was interrupted, and not killed: $(cat "$tmp/err")"
ctl set "$pool" --label base >/dev/null
unchanged "import that was killed"

# A server that does not answer yet does not hold up who wants to leave.
serve s "$pool"
kill -STOP "${server_pid[s]}"
env --default-signal=INT LD_LIBRARY_PATH="$top_builddir/.libs" "$prmemctl" list "$pool" >"$tmp/out" 2>"$tmp/err" &
client=$!
asks() {
	find "/proc/$client/fd" -lname 'socket:*' 2>/dev/null | grep -q .
}
wait_for asks
kill -INT $client
wait_s=20 wait_for has_ended
status=0
wait $client || status=$?
kill -CONT "${server_pid[s]}"
is "$status" 130 "status of who did not wait for a server"
is "$(cat "$tmp/err")" "prmemctl: pool $pool: interrupted before its server answered" "what is said of it"
