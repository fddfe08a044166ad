# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Crash states of a simulated memory.

# CRASH_IMAGES distinct ones with nodes of 512 slots, and as many with nodes of 4.
step_crash() {
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	make --no-print-directory -s -C "$work/gcc" -j"$jobs" tests/crash/crash_test tests/crash/crash_tiny_test
	local program
	for program in crash_test crash_tiny_test; do
		"$work/gcc/tests/crash/$program" --no-mutants --images "${CRASH_IMAGES:-250000}" | tee crash.out
		result PASS "$program, $(grep '^crash images' crash.out)"
	done
}
