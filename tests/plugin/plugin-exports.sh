#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# All disks are exports, with sizes and descriptions; pram0 is the default;
# disk= serves one disk under any name.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need nbdinfo libnbd-bin
need_libnbd

names() {
	nbdinfo --list "$(uri s)" | sed -nE 's/^export="(.*)":$/\1/p' | tr '\n' ' '
}

# First a disk of another name alone: it is the default for want of pram0.
serve s "pool=$tmp/pool" disk=data.1 size=1000001 pool-size=512M
is "$(nbdinfo --size "$(uri s)")" 1000001 "size of the only disk"
stop s
serve s "$tmp/pool"
is "$(nbdinfo --size "$(uri s)")" 1000001 "size of the first disk, by default"
stop s

serve s "pool=$tmp/pool" sizes=64M,128M,1G
is "$(names)" "data.1 pram0 pram1 pram2 " "exports"
nbdinfo --list "$(uri s)" >"$tmp/list"
is "$(grep -cE 'description: .*(976.6 KiB|MiB|GiB).*, 0 bytes allocated, created 20[0-9-]{8} [0-9:]{8} UTC' "$tmp/list")" 4 descriptions
is "$(sed -nE 's/.*export-size: ([0-9]+).*/\1/p' "$tmp/list" | tr '\n' ' ')" "1000001 67108864 134217728 1073741824 " sizes
is "$(nbdinfo --size "$(uri s)")" 67108864 "size of the default export"
is "$(nbdinfo --size "$(uri s pram2)")" 1073741824 "size of pram2"
"$python" - "$(uri s pram1)" <<'PY' || fail "the description of an export differs from that in the list"
import nbd, sys
h = nbd.NBD()
h.set_request_block_size(True)
h.set_opt_mode(True)
h.connect_uri(sys.argv[1])
h.set_full_info(True)
h.opt_info()
assert h.get_export_description().startswith("128 MiB, 0 bytes allocated, created "), h.get_export_description()
assert h.get_block_size(nbd.SIZE_MINIMUM) == 1
assert h.get_block_size(nbd.SIZE_PREFERRED) == 4096
assert h.get_block_size(nbd.SIZE_MAXIMUM) == 64 << 20
h.opt_go()
assert h.can_multi_conn() and h.can_fua() and h.can_flush() and h.can_trim() and h.can_zero()
assert h.can_fast_zero() and h.can_cache() and not h.is_read_only() and not h.is_rotational()
assert h.can_meta_context("base:allocation") is False  # not asked for
# The maximum is honoured.
h.pwrite(b"x" * (64 << 20), 1)
assert h.pread(64 << 20, 1) == b"x" * (64 << 20)
PY
# A client that names no export learns which one it has got.
is "$(nbdinfo --json "$(uri s)" | sed -nE 's/.*"export-name": "(.*)",/\1/p')" pram0 "name of the default export"
# Each has data of its own.
"$python" - "$(uri s pram0)" "$(uri s pram1)" <<'PY' || fail "pram0 has data of pram1"
import nbd, sys
a, b = nbd.NBD(), nbd.NBD()
a.connect_uri(sys.argv[1])
b.connect_uri(sys.argv[2])
assert a.pread(4096, 4096) == bytes(4096)
assert b.pread(4096, 4096) == b"x" * 4096
PY
# An export that is none, and names that must not hurt.
for name in nothing pram00 ''$(printf 'x%.0s' {1..200}) '%01%1b%5B2J' 'pram0%2f' 'a@b'; do
	if nbdinfo "$(uri s "$name")" >/dev/null 2>"$tmp/err"; then
		fail "export $name is there"
	fi
done
grep -q 'disk nothing does not exist in pool' "$tmp/s.log" || fail "the log does not name the export asked for"
if grep -q $'\x1b' "$tmp/s.log"; then
	fail "a client can write control characters to the log"
fi
is "$(nbdinfo --size "$(uri s)")" 67108864 "size after that"
stop s

# disk=: the only one, under any name.
serve s "pool=$tmp/pool" disk=pram1
is "$(names)" "pram1 " "exports with disk="
for name in "" pram1 pram0 whatever; do
	is "$(nbdinfo --size "$(uri s "$name")")" 134217728 "size of $name with disk=pram1"
done
stop s

# The oldstyle protocol names no export.
serve s -o -- "pool=$tmp/pool"
is "$(nbdinfo --size "$(uri s)")" 67108864 "size by the oldstyle protocol"
