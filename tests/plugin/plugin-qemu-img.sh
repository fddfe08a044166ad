#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# qemu-img converts into and out of a disk, compares, and maps it.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need qemu-img qemu-utils

truncate -s 64M "$tmp/in"
head -c 5000000 /dev/urandom | dd of="$tmp/in" bs=1M seek=10 conv=notrunc status=none
head -c 4096 /dev/urandom | dd of="$tmp/in" bs=4096 seek=16383 conv=notrunc status=none
serve s "pool=$tmp/pool" size=64M
nbd="nbd+unix:///?socket=$tmp/s.sock"

qemu-img convert -n -f raw -O raw "$tmp/in" "$nbd"
qemu-img compare -f raw -F raw "$tmp/in" "$nbd" >/dev/null || fail "the disk differs from what was converted into it"
qemu-img convert -f raw -O qcow2 "$nbd" "$tmp/out.qcow2"
qemu-img compare -f qcow2 -F raw "$tmp/out.qcow2" "$tmp/in" >/dev/null || fail "what was converted out differs"

# Holes stay holes: 10 MiB in front, then data of 5000000 bytes.
qemu-img map --output=json -f raw "$nbd" >"$tmp/map"
"${python}" - "$tmp/map" <<'PY' || fail "qemu-img map: $(cat "$tmp/map")"
import json, sys
got = [(e["start"], e["length"], e["data"]) for e in json.load(open(sys.argv[1]))]
end = (10 << 20) + (5000000 + 4095) // 4096 * 4096
last = (64 << 20) - 4096
want = [(0, 10 << 20, False), (10 << 20, end - (10 << 20), True), (end, last - end, False), (last, 4096, True)]
assert got == want, want
PY

# A difference is seen, so the comparison means something.
printf x | dd of="$tmp/in" bs=1 seek=12345678 conv=notrunc status=none
if qemu-img compare -f raw -F raw "$tmp/in" "$nbd" >/dev/null; then
	fail "a difference is not seen"
fi

# The same after a SIGKILL.
stop s KILL
serve s "pool=$tmp/pool"
qemu-img compare -f qcow2 -F raw "$tmp/out.qcow2" "$nbd" >/dev/null || fail "the disk differs after SIGKILL"
