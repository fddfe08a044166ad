#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The benchmark runs and writes what it should.  Its figures are not looked at:
# a machine that runs tests is no machine to measure on.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need fio fio
need nbdcopy libnbd-bin
need_libnbd
[ ${#preload[@]} -eq 0 ] || skip "a sanitized plugin needs its run time in nbdkit"

"$python" "$top_srcdir/tests/bench/bench" --smoke --parts nbd --peers prmem,null --only 'write 4 KiB, depth 32, 1' \
	--dir "$tmp" --out "$tmp/out" >"$tmp/bench.out" 2>"$tmp/bench.log" || fail "bench ends with status $?"
grep -q '^| overwrite 4 KiB, depth 32, 1 connection | ' "$tmp/out/results.md" || fail "no line of a workload in the table"
grep -q '</svg>' "$tmp/out/results.svg" || fail "no plot"
"$python" - "$tmp/out/results.json" <<'END' || fail "results.json does not hold a rate of prmem and of null"
import json, sys
rounds = json.load(open(sys.argv[1]))["nbd"][0]["rounds"]
assert rounds[0]["prmem"]["per_s"] > 0 and rounds[0]["null"]["per_s"] > 0
END
