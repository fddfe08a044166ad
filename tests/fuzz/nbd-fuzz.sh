#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Requests that no client makes do not bring the server down, nor change what
# they do not name.  NBD_FUZZ_SECONDS: how long; NBD_FUZZ_SEED repeats a run.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

# One thread a connection: with more, nbdkit 1.32 itself may assert when one of
# them answers while another has closed the connection over a request it cannot
# skip (its memory plugin does the same).  Connections still run side by side.
serve s -t 1 -- "pool=$tmp/pool" pool-size=64M sizes=16M,8G
"$python" "$top_srcdir/tests/fuzz/nbd-fuzz.py" -t "${NBD_FUZZ_SECONDS:-1}" \
	${NBD_FUZZ_SEED:+-s "$NBD_FUZZ_SEED"} "$tmp/s.sock" || fail "see above"
kill -0 "${server_pid[s]}" 2>/dev/null || fail "the server is gone"
stop s
# What is left is sound.
serve s "pool=$tmp/pool"
stop s
