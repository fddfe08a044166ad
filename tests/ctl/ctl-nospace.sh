#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A file system without room: what is refused says so, in the same words with and
# without a server, and leaves the pool as it was and no file behind. In a small
# file system of its own.
if [ -z "${PRMEM_OWN_MOUNTS:-}" ]; then
	unshare -Urm true 2>/dev/null || {
		echo "SKIP: no namespace of its own for a test (unshare -Urm)"
		exit 77
	}
	PRMEM_OWN_MOUNTS=1 exec unshare -Urm "$BASH" "$0" "$@"
fi
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd

end() {
	local status=$?
	set +e
	stop_all
	umount "$tmp/small" 2>/dev/null
	(exit $status)
	clean_up
}
stop_all() {
	local name
	for name in "${!server_pid[@]}"; do
		stop "$name" KILL
	done
}
mkdir "$tmp/small"
mount -t tmpfs -o size=8M none "$tmp/small" 2>/dev/null || skip "no file system of its own for a test (mount -t tmpfs)"
trap end EXIT

head -c 1M /dev/urandom >"$tmp/image"
head -c 12M /dev/urandom >"$tmp/large"
scenario() { # POOL
	# The pool's file has holes, whose room somebody else takes.  The disk that is busy has a reservation.
	dd if=/dev/zero of="$tmp/small/fill" bs=64k status=none 2>/dev/null || true
	show import "$1" large "$tmp/large" | sed -E 's/[0-9]+ (bytes of data|more)/N \1/g'
	show import "$1" disk "$tmp/large" --force | sed -E 's/[0-9]+ (bytes of data|more)/N \1/g'
	show grow "$1" --add "$tmp/small/region" --add-size 4M
	show export "$1" disk "$tmp/small/exported"
	find "$tmp/small" -type f ! -name '*.pool' ! -name fill
	rm "$tmp/small/fill"
	show grow "$1" --add "$tmp/small/region" --add-size 4M
	show import "$1" more "$tmp/image"
	show scrub "$1" | sed -E 's/[0-9]+ nodes?, [0-9]+ pages?, .* read/N nodes, N pages/'
	ctl export "$1" disk - 2>/dev/null | cmp - "$tmp/image" || echo 'other bytes'
}
for mode in offline live; do
	pool=$tmp/small/$mode.pool
	ctl format "$pool" --size 24M >/dev/null
	ctl import "$pool" disk "$tmp/image" >/dev/null
	ctl create "$pool" busy 256K --reserve >/dev/null
	if [ $mode = live ]; then
		serve s "$pool"
		load s busy
	fi
	scenario "$pool" | sed "s|$tmp/small/$mode.pool|POOL|; s|$tmp|TMP|g" >"$tmp/$mode.txt"
	if [ $mode = live ]; then
		unload
		stop s
		ctl scrub "$pool" >/dev/null || fail "damage after all that"
	fi
	rm -f "$pool" "$tmp/small/region"
done
diff "$tmp/offline.txt" "$tmp/live.txt" || fail "offline (<) and live (>) differ"
diff - "$tmp/offline.txt" <<'EXPECTED' || fail "expected (<) and said (>) differ"
$ import POOL large TMP/large
prmemctl: disk large: the pool is full: it had room for N bytes of data, and needs up to N more; free them, or grow the pool
status 1
$ import POOL disk TMP/large --force
prmemctl: disk disk: the pool is full: it had room for N bytes of data, beside the disk that it replaces, and needs up to N more; free them, or grow the pool
status 1
$ grow POOL --add TMP/small/region --add-size 4M
prmemctl: region TMP/small/region: cannot be written: No space left on device
status 1
$ export POOL disk TMP/small/exported
prmemctl: TMP/small/exported: cannot be written: No space left on device
status 1
$ grow POOL --add TMP/small/region --add-size 4M
pool POOL: 28 MiB, was 24 MiB
$ import POOL more TMP/image
disk more: 1 MiB imported, 1 MiB of it data
$ scrub POOL
pool POOL: clean; 3 instances, N nodes, N pages
EXPECTED
