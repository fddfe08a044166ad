#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The lock dies with its holder: after SIGKILL, also with requests under way,
# the next server starts at once, again and again.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

for round in 1 2 3 4 5 6; do
	serve s "pool=$tmp/pool" size=16M
	"$python" - "$(uri s)" "$round" <<'PY' &
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
try:
    while True:
        h.pwrite(sys.argv[2].encode() * 65536, 0)
except nbd.Error:
    pass
PY
	writer=$!
	until "$python" -c 'import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
sys.exit(h.pread(1, 0) != sys.argv[2].encode())' "$(uri s)" "$round"; do
		[ $SECONDS -lt $wait_s ] || fail "nothing is written in round $round"
	done
	stop s KILL
	wait $writer
done
serve s "pool=$tmp/pool"
