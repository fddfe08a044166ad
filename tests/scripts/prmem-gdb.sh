#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# prmem-gdb.py, in a program that has a pool with a page and a hole.
. "${top_srcdir:?}/tests/walls/functions.sh"
need gdb gdb
[ "${PRMEM_SANITIZERS-no}" = no ] || skip "gdb and the sanitizers get in each other's way"
gdb -batch -nx -ex 'python print("has python")' 2>/dev/null | grep -q 'has python' || skip "this gdb has no Python"
program=$top_builddir/tests/unit/disk_slot_test
if gdb -batch -nx -ex 'info line prmem_disk_slot' "$program" 2>&1 | grep -q 'No line number'; then
	skip "the test programs have no debug information (configure without -g)"
fi

# in_gdb COMMAND... - at the first look at a slot; what each command prints.
in_gdb() {
	local command arguments=()
	for command in "$@"; do
		arguments+=(-ex "$command")
	done
	TMPDIR=$tmp timeout 120 gdb -batch -nx -x "$top_srcdir/scripts/prmem-gdb.py" -ex 'set confirm off' \
		-ex 'break prmem_disk_slot' -ex 'run a_page_and_a_hole' -ex 'echo \n---\n' "${arguments[@]}" \
		-ex kill "$program" >"$tmp/all" 2>&1 || true
	if grep -qE 'Could not trace|Operation not permitted' "$tmp/all" && ! grep -q '^---$' "$tmp/all"; then
		skip "gdb may not trace here"
	fi
	sed '1,/^---$/d' "$tmp/all"
}

in_gdb 'print *disk->inst->pool' 'print disk->inst->pool->read_only' \
	'prmem-slot disk->inst 1' 'prmem-slot disk->inst 0' 'prmem-slot disk->inst 100000' \
	'print (xa_entry_t)0' 'print (xa_entry_t)0xf00000005' 'print (xa_entry_t)0xabcdef5500000042' \
	'print (xa_entry_t)0x300000000' \
	'set variable *(unsigned long *)((char *)disk->inst->pool->regions[0].pm->base + (disk->inst->xa.root & 0xffffffff) * 4096) = 0' \
	'prmem-slot disk->inst 0' 'prmem-slot disk->inst' >"$tmp/said"

# said PATTERN - one line of it is that.
said() {
	grep -qxE -- "$1" "$tmp/said" || wrong "no line like \"$1\" in:
$(cat "$tmp/all")"
}
said '\$1 = pool /.*/pool, 1024 pages in 1 regions, uuid [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
said '\$2 = false'
said 'lineage [0-9a-f]{16}, levels: 1'
said 'level 0, page [0-9]+, slot 1: page [0-9]+, proof [0-9a-f]{7}'
said 'level 0, page [0-9]+, slot 0: hole [0-9a-f]{16}'
said 'the tree does not reach that far: nothing'
said '\$3 = nothing'
said '\$4 = error 5'
said '\$5 = run of 2\^2 pages at 64, proof abcdef5'
said '\$6 = page 0, proof 0000000'
said 'level 0, page [0-9]+, slot 0: zeroes, DAMAGED'
said 'usage: prmem-slot INST INDEX'
exit $errors
