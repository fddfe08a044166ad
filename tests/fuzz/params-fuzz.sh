#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Whatever the parameters are, they are taken, or refused with one clear line
# and the pool as it was: the parser alone, and nbdkit with all of the plugin,
# PARAMS_FUZZ_RUNS times.  PARAMS_FUZZ_SEED repeats a run.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

"${top_builddir:?}/tests/fuzz/params_fuzz" ${PARAMS_FUZZ_SEED:+-s "$PARAMS_FUZZ_SEED"} \
	-n "$((${PARAMS_FUZZ_RUNS:-10} * 2000))"

serve s "pool=$tmp/pool" pool-size=4M sizes=1M,2M
"$python" -c 'import nbd, sys; h = nbd.NBD(); h.connect_uri(sys.argv[1]); h.pwrite(b"kept" * 9999, 5)' "$(uri s)"
stop s KILL
"$python" "$top_srcdir/tests/fuzz/params-fuzz.py" -n "${PARAMS_FUZZ_RUNS:-10}" \
	${PARAMS_FUZZ_SEED:+-s "$PARAMS_FUZZ_SEED"} "$tmp" "$PRMEM_PLUGIN" "${preload[@]}" || fail "see above"
