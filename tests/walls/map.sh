#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tests/README has a row for each source file, or the file has a test of its own
# name; and the tests that it names are there.
. "${top_srcdir:?}/tests/walls/functions.sh"

# Folders whose files are to have a row.
rooms='xarray control plugin tools'

# rows README - "ROOM/FILE TEST", one for each test that a row names.
rows() {
	awk '/^##/ { room = /^### [a-z\/-]+\/$/ ? $2 : "" }
		room != "" && /^    [a-z0-9_]+\.c / { for (i = 2; i <= NF; i++) print room $1, $i }' "$1"
}

# check_map TREE - what is wrong with the map of a tree, one line each.
check_map() {
	local file test own
	rows "$1/tests/README" >"$tmp/rows"
	for room in $rooms; do
		(cd "$1" && find "$room" -name '*.c')
	done | sort >"$tmp/files"
	cut -d' ' -f1 "$tmp/rows" | sort -u >"$tmp/mapped"
	comm -23 "$tmp/files" "$tmp/mapped" | while IFS= read -r file; do
		own=$(basename "$file" .c)_test.c
		[ -n "$(find "$1/tests" -name "$own")" ] || echo "$file: no row in tests/README, and no test of its name"
	done
	comm -13 "$tmp/files" "$tmp/mapped" | sed 's/$/: a row in tests\/README, and no such file/'
	while read -r file test; do
		[ -e "$1/tests/$test" ] || [ -e "$1/tests/$test.c" ] || echo "$file: its row names $test, and there is no such test"
	done <"$tmp/rows"
}

found=$(check_map "$top_srcdir")
[ -z "$found" ] || wrong "$found"

# The check sees what it is for.
mkdir "$tmp/tree"
(cd "$top_srcdir" && tar -c xarray control plugin tools tests/README tests/unit tests/walls tests/ctl) | tar -C "$tmp/tree" -x
chmod -R u+w "$tmp/tree"
check_map "$tmp/tree" >"$tmp/before"
sees() { # TEXT - which appears in what is wrong with the tree, and was not there before
	check_map "$tmp/tree" | grep -vxFf "$tmp/before" | grep -qF "$1" || wrong "not seen: $1"
}
touch "$tmp/tree/xarray/planted.c"
sees 'xarray/planted.c: no row'
rm "$tmp/tree/xarray/planted.c" "$tmp/tree/control/execute.c"
sees 'control/execute.c: a row in tests/README, and no such file'
rm "$tmp/tree/tests/ctl/ctl-debug.sh"
sees 'tools/prmemctl/debug.c: its row names ctl/ctl-debug.sh, and there is no such test'
exit $errors
