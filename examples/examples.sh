#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The small examples do what they say: a counter goes on, a list lists, and
# pages are read in place, but for the damaged one.
set -euo pipefail

dir=$(mktemp -d "${TMPDIR:-/tmp}/prmem-example.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "${top_builddir:?run me by make check}"

# wrong TEXT - say what is wrong, and fail.
wrong() {
	echo "$*"
	exit 1
}

for i in 1 2 3; do
	[ "$(examples/counter "$dir/pool")" = "$i" ] || wrong "run $i does not print $i"
done
examples/record-cache "$dir/pool" put colour green
./prmemctl create "$dir/pool" d 400K >/dev/null
list=$(examples/list-instances "$dir/pool" | sort | tr '\n' ';')
[ "$list" = 'example/counter: 1 entries;example/record-cache: 1 entries;ramdisk/d: 0 entries;' ] ||
	wrong "the list is $list"

head -c 8192 /dev/urandom >"$dir/data"
{ head -c 4096 "$dir/data"; head -c 40960 /dev/zero; tail -c 4096 "$dir/data"; } >"$dir/image"
./prmemctl import "$dir/pool" image "$dir/image" >/dev/null
examples/read-in-place "$dir/pool" image | cmp - "$dir/data" || wrong "what is read in place is something else"
page=$(./prmemctl debug slot "$dir/pool" image 0 | sed -n 's/^page  *//p')
printf 'damaged' | dd of="$dir/pool" bs=1 seek=$((page * 4096 + 99)) conv=notrunc status=none
if examples/read-in-place "$dir/pool" image >"$dir/out" 2>"$dir/err"; then wrong "a damaged page was read"; fi
[ "$(cat "$dir/err")" = 'read-in-place: page 0: Input/output error' ] || wrong "of a damaged page: $(cat "$dir/err")"
tail -c 4096 "$dir/data" | cmp - "$dir/out" || wrong "the other page was not read"

for example in counter list-instances read-in-place; do
	if "examples/$example" "$dir/no/such/pool" d 2>"$dir/err"; then wrong "$example finds a pool that is not there"; fi
	grep -q "^$example: .*/no/such/pool" "$dir/err" || wrong "$example says: $(cat "$dir/err")"
done
