#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Filters over several exports that the manual calls safe are safe; over one
# disk by disk=, those that keep something for all exports are too.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need nbdinfo libnbd-bin
need_libnbd
pod=$top_srcdir/man/nbdkit-prmem-plugin.pod
filterdir=$(nbdkit --dump-config | sed -n 's/^filterdir=//p')

# each_its_own NAME - two exports, with data of their own.
each_its_own() {
	"$python" - "$(uri "$1" pram0)" "$(uri "$1" pram1)" <<'PY'
import nbd, sys
a, b = nbd.NBD(), nbd.NBD()
a.connect_uri(sys.argv[1])
b.connect_uri(sys.argv[2])
assert a.get_size() == 16 << 20 and b.get_size() == 32 << 20, (a.get_size(), b.get_size())
a.pwrite(b"a" * 8192, 4096)
b.pwrite(b"b" * 8192, 8192)
a.flush()
b.flush()
for _ in range(2):
    assert a.pread(16384, 0) == bytes(4096) + b"a" * 8192 + bytes(4096)
    assert b.pread(16384, 0) == bytes(8192) + b"b" * 8192
a.trim(16 << 20, 0)
b.trim(32 << 20, 0)
PY
}

serve s "pool=$tmp/pool" sizes=16M,32M
each_its_own s || fail "without a filter"
stop s
for filter in blocksize blocksize-policy delay error exitlast exportname fua limit log multi-conn nocache noextents \
	nofilter noparallel nozero offset rate readahead retry retry-request scan stats swab truncate; do
	sed -n '/^=item Safe with/,/^=item Only/p' "$pod" | grep -qw -- "$filter" || fail "the manual does not call $filter safe"
	[ -e "$filterdir/nbdkit-$filter-filter.so" ] || continue
	params=()
	case $filter in
	log) params=(logfile=/dev/null) ;;
	stats) params=(statsfile=/dev/null) ;;
	delay) params=(rdelay=1ms) ;;
	limit) params=(limit=2) ;;
	offset) params=(offset=0) ;;
	error) params=(error-rate=0%) ;;
	rate) params=(rate=1G) ;;
	esac
	serve s "--filter=$filter" -- "pool=$tmp/pool" "${params[@]}"
	each_its_own s || fail "several exports through --filter=$filter"
	stop s
done

# cow and cache with disk=: the disk under any name; cow writes nothing to it.
serve s --filter=cow -- "pool=$tmp/pool" disk=pram1
"$python" - "$(uri s x)" "$(uri s y)" <<'PY'
import nbd, sys
a, b = nbd.NBD(), nbd.NBD()
a.connect_uri(sys.argv[1])
b.connect_uri(sys.argv[2])
a.pwrite(b"c" * 65536, 0)
assert b.pread(65536, 0) == b"c" * 65536
PY
stop s
serve s --filter=cache -- "pool=$tmp/pool" disk=pram1
"$python" - "$(uri s)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
assert h.pread(65536, 0) == bytes(65536), "cow wrote to the disk"
h.pwrite(b"d" * 5000, 100)
h.flush()
assert h.pread(5000, 100) == b"d" * 5000
PY
stop s KILL
serve s "pool=$tmp/pool"
"$python" - "$(uri s pram1)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
assert h.pread(5000, 100) == b"d" * 5000, "flushed through the cache and lost"
PY
stop s

# exportname renames; the disk behind it is the right one.
serve s --filter=exportname -- "pool=$tmp/pool" default-export=pram1 exportname-list=keep
is "$(nbdinfo --size "$(uri s)")" 33554432 "size of the default export through exportname"
