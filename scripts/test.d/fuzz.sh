# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Fuzzing: of pools, of the server's requests, of its parameters.

# fuzz_pools PROGRAM NUMBER - run it on all processors, NUMBER executions in all
# or FUZZ_SECONDS; what is new goes into fuzz/corpus, what fails into fuzz/.
fuzz_pools() {
	local program=$1 each=$(($2 / jobs + 1)) i status=0 pids=()
	for ((i = 0; i < jobs; i++)); do
		(cd fuzz && ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=1:malloc_context_size=4 exec "./$program" \
			-runs="$each" -max_total_time="${FUZZ_SECONDS:-240}" -timeout=60 -max_len=512 -entropic=0 -reload=10 \
			-artifact_prefix="$program-" corpus "$src/tests/fuzz/corpus") >"fuzz/$program.$i.out" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || status=1
	done
	# One that failed has no such line, and its number is that of its last progress.
	nr=$(cat "fuzz/$program".*.out | sed -nE 's/^Done ([0-9]+) runs.*/\1/p' | awk '{ n += $1 } END { print n + 0 }')
	[ "$status" -eq 0 ] || tail -n 40 "fuzz/$program".*.out
	return "$status"
}

# FUZZ_RUNS executions, most of them as fast as it goes, and then some with
# sanitizers that begin with all that the fast ones found.  To fuzz for hours:
# FUZZ_RUNS=1000000000 FUZZ_SECONDS=14400.
step_fuzz() {
	local runs=${FUZZ_RUNS:-2100000} nr fast others
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	NBD_FUZZ_SECONDS=${NBD_FUZZ_SECONDS:-20} PARAMS_FUZZ_RUNS=${PARAMS_FUZZ_RUNS:-200} \
		make_check gcc TESTS='tests/fuzz/nbd-fuzz.sh tests/fuzz/params-fuzz.sh' &
	others=$!
	if command -v clang >/dev/null; then
		mkdir -p fuzz/corpus
		"$src/tests/fuzz/build-pool-fuzz" "$src" fuzz/fast
		"$src/tests/fuzz/build-pool-fuzz" "$src" fuzz/sanitized -fsanitize=address,undefined -fno-sanitize-recover=all
	fi
	wait "$others"
	cat "$work/gcc/tests/fuzz/nbd-fuzz.log" "$work/gcc/tests/fuzz/params-fuzz.log"
	need clang clang
	fuzz_pools fast $((runs * 6 / 7))
	fast=$nr
	fuzz_pools sanitized $((runs / 7))
	figure "fuzz executions: $((fast + nr)), $nr of them with sanitizers"
}
