# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Fuzzing, FUZZ_SECONDS of each.

step_fuzz() {
	local seconds=${FUZZ_SECONDS:-60} nr
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	NBD_FUZZ_SECONDS=$seconds make_check gcc TESTS=tests/fuzz/nbd-fuzz.sh
	grep -h '^NBD requests' "$work/gcc/tests/fuzz/nbd-fuzz.log" || true
	need clang clang
	mkdir -p fuzz/corpus
	"$src/tests/fuzz/build-pool-fuzz" "$src" "$work/fuzz/pool_fuzz"
	# What is new stays in the first directory; the one of the sources is read.
	(cd fuzz && ASAN_OPTIONS=detect_leaks=0 ./pool_fuzz -fork="$jobs" -max_total_time="$seconds" -timeout=60 \
		-max_len=512 corpus "$src/tests/fuzz/corpus") 2>&1 | tee fuzz.out
	nr=$(sed -nE 's/^#([0-9]+): cov.*/\1/p' fuzz.out | tail -n 1)
	result PASS "fuzz executions: ${nr:-0}"
}
