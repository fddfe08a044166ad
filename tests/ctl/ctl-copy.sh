#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# export and import: holes stay, pipes work, the field's tools read the images,
# what fails leaves nothing; with and without a server.
. "${top_srcdir:?}/tests/ctl/functions.sh"
need qemu-img qemu-utils
need nbdcopy libnbd-bin

pool=$tmp/copy.pool
ctl format "$pool" --size 192M >/dev/null
# Data, a hole, data across a page's edge, a hole that ends the file.
truncate -s 64M "$tmp/image"
dd if=/dev/urandom of="$tmp/image" bs=64k count=40 conv=notrunc status=none
printf 'it begins here' | dd of="$tmp/image" conv=notrunc status=none
dd if=/dev/urandom of="$tmp/image" bs=1000 count=7 seek=30001 conv=notrunc status=none
truncate -s 67000001 "$tmp/image"
blocks=$(stat -c %b "$tmp/image")

copies() {
	ctl import "$pool" "$1" "$tmp/image" >/dev/null
	rm -f "$tmp/out"
	ctl export "$pool" "$1" "$tmp/out" >/dev/null
	cmp "$tmp/image" "$tmp/out" || fail "$1: other bytes in a file"
	[ "$(stat -c %b "$tmp/out")" -le "$((blocks + 64))" ] || fail "$1: the holes are filled: $(stat -c %b "$tmp/out") blocks, not $blocks"
	is "$(ctl list "$pool" --json | sed -E "s/.*\"name\":\"$1\"[^}]*\"allocated\":([0-9]+).*/\1/")" "$((643 * 4096))" "$1: bytes allocated"

	# Pipes, in both directions, and standard output that is a file.
	ctl export "$pool" "$1" - 2>/dev/null | cmp - "$tmp/image" || fail "$1: other bytes in a pipe"
	ctl export "$pool" "$1" - 2>/dev/null >"$tmp/out"
	cmp "$tmp/image" "$tmp/out" || fail "$1: other bytes in standard output"
	[ "$(stat -c %b "$tmp/out")" -le "$((blocks + 64))" ] || fail "$1: standard output has no holes"
	# shellcheck disable=SC2002 # a pipe is what is tested
	cat "$tmp/image" | ctl import "$pool" "$1" - --force >/dev/null
	ctl export "$pool" "$1" - 2>/dev/null | cmp - "$tmp/image" || fail "$1: other bytes by a pipe"
	ctl import "$pool" "$1" - --force <"$tmp/image" >/dev/null
	ctl export "$pool" "$1" - 2>/dev/null | cmp - "$tmp/image" || fail "$1: other bytes by standard input"

	# Others' images, and ours in others' hands.
	ctl resize "$pool" "$1" 64M --force >/dev/null
	ctl export "$pool" "$1" "$tmp/out" >/dev/null
	qemu-img convert -f raw -O qcow2 "$tmp/out" "$tmp/out.qcow2"
	qemu-img compare -q -f raw -F qcow2 "$tmp/out" "$tmp/out.qcow2" || fail "$1: qemu-img sees something else"
	qemu-img convert -f qcow2 -O raw "$tmp/out.qcow2" "$tmp/back"
	ctl import "$pool" "$1" "$tmp/back" --force >/dev/null
	ctl export "$pool" "$1" - 2>/dev/null | cmp - "$tmp/out" || fail "$1: other bytes by qemu-img"
	dd if="$tmp/out" bs=1M status=none | ctl import "$pool" "$1" - --force >/dev/null
	ctl export "$pool" "$1" - 2>/dev/null | cmp - "$tmp/out" || fail "$1: other bytes by dd"

	# What is replaced keeps what it was promised.
	ctl set "$pool" "$1" reserve=on description=kept >/dev/null
	ctl import "$pool" "$1" "$tmp/image" --force >/dev/null
	ctl list "$pool" | grep -qE "^$1 .* R[o]? +kept$" || fail "$1: its properties are gone: $(ctl list "$pool")"
	ctl set "$pool" "$1" reserve=off >/dev/null

	# Refused, and nothing is left of it.
	: >"$tmp/empty"
	refuse 1 'is empty' import "$pool" "$1.new" "$tmp/empty"
	refuse 1 'cannot be read' import "$pool" "$1.new" "$tmp/nothing"
	refuse 1 'cannot be read' import "$pool" "$1.new" "$tmp"
	refuse 1 'cannot be made' export "$pool" "$1" "$tmp/no/out"
	refuse 1 'there is no disk' export "$pool" "$1.new" "$tmp/new"
	ctl export "$pool" "$1.new" - --json >"$tmp/out" 2>"$tmp/err" || true
	[ ! -s "$tmp/out" ] || fail "$1: what is said of a disk is in its image: $(cat "$tmp/out")"
	grep -q '^{"error":' "$tmp/err" || fail "$1: no object says why: $(cat "$tmp/err")"
	if true | ctl import "$pool" "$1.new" - >/dev/null 2>&1; then
		fail "$1: nothing was imported"
	fi
	yes 'full of it' | head -c 200000000 >"$tmp/large" || true
	refuse 1 'the pool is full' import "$pool" "$1.new" "$tmp/large"
	# A disk that it does not fit on, a reader that goes away: the old file stays.
	echo old >"$tmp/old"
	status=0
	(
		ulimit -f 1000
		trap '' XFSZ
		ctl export "$pool" "$1" "$tmp/old"
	) >/dev/null 2>"$tmp/err" || status=$?
	is "$status" 1 "$1: status of an export that does not fit"
	is "$(cat "$tmp/err")" "prmemctl: $tmp/old: cannot be written: File too large" "$1: what is said when it does not fit"
	is "$(cat "$tmp/old")" old "$1: the file that was there"
	status=0
	ctl export "$pool" "$1" - 2>"$tmp/err" | head -c 100000 >/dev/null || status=${PIPESTATUS[0]}
	is "$(cat "$tmp/err")" "prmemctl: -: cannot be written: Broken pipe" "$1: what is said when the reader is gone"
	if ls "$tmp"/*.prmem-* 2>/dev/null; then
		fail "$1: something is left of an export"
	fi
	if ctl list "$pool" | grep -E 'importing|\.new'; then
		fail "$1: something is left of an import"
	fi
	rm -f "$tmp/large"
}

# shrinks PAUSE RESUME - what becomes shorter while it is read has lost its end, and
# that is no hole: work is held up until it has, by when prmemctl knows how long it was.
shrinks() {
	local importer status=0 seen=0
	head -c 3M /dev/urandom >"$tmp/shrinking"
	$1
	LD_LIBRARY_PATH=$top_builddir/.libs "$prmemctl" import "$pool" shrunk "$tmp/shrinking" >"$tmp/out" 2>"$tmp/err" </dev/null 9<&- &
	importer=$!
	# The source is opened and looked at first, the pool after that.
	has_looked() {
		find "/proc/$importer/fd" -lname "$tmp/shrinking" 2>/dev/null | grep -q . && [ $((++seen)) -gt 2 ]
	}
	wait_for has_looked
	truncate -s 1M "$tmp/shrinking"
	$2
	wait "$importer" || status=$?
	is "$status" 1 "status of an import of a file that became shorter"
	is "$(cat "$tmp/err")" "prmemctl: $tmp/shrinking: became shorter while it was read" "what is said of a file that became shorter"
	if ctl list "$pool" | grep shrunk; then
		fail "a file that became shorter is a disk"
	fi
}
take_pool() {
	exec 9<"$pool"
	flock -n 9
}
give_pool() {
	exec 9<&-
}
stop_server() {
	kill -STOP "${server_pid[s]}"
}
go_on_server() {
	kill -CONT "${server_pid[s]}"
}

copies offline
shrinks take_pool give_pool
serve s "$pool"
copies live
# A disk that the server has, and one that came through NBD, are the same.
nbdcopy "$(uri s live)" "$tmp/nbd"
cmp "$tmp/nbd" "$tmp/image" || fail "nbdcopy reads something else"
ctl create "$pool" nbd 67000001 >/dev/null
nbdcopy "$tmp/image" "$(uri s nbd)"
ctl export "$pool" nbd - 2>/dev/null | cmp - "$tmp/image" || fail "what nbdcopy wrote is exported otherwise"

shrinks stop_server go_on_server
stop s

# Damage is an error, and not a part of an image.
ctl import "$pool" damaged "$tmp/image" >/dev/null
# What it begins with lies in the pool more than once: spoil all of them.
grep -obUaF 'it begins here' "$pool" | cut -d: -f1 >"$tmp/places"
[ -s "$tmp/places" ] || fail "the data is not found in the pool"
while IFS= read -r at; do
	printf 'scribble' | dd of="$pool" bs=1 seek="$((at + 100))" conv=notrunc status=none
done <"$tmp/places"
refuse 1 'cannot be read between 0 and' export "$pool" damaged "$tmp/damaged"
[ ! -e "$tmp/damaged" ] || fail "a damaged disk was exported"
refuse_status=0
ctl scrub "$pool" >"$tmp/scrub" || refuse_status=$?
is "$refuse_status" 4 "status of a scrub that finds damage"
grep -qE '^content: disk damaged, bytes 0 to 4095: ' "$tmp/scrub" || fail "the damage is not named: $(cat "$tmp/scrub")"
