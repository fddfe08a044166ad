# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Calls of the system that fail.

# Each call of each operation of the library, and some of a server's start;
# FAULT_START_STEP=1: all of these.  `make check` tries fewer.
step_fault() {
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	FAULT_STEP=${FAULT_STEP:-1} FAULT_START_STEP=${FAULT_START_STEP:-5} \
		make_check gcc TESTS='tests/fault/fault_test tests/fault/fault-plugin.sh'
	figure "$(grep '^failing calls' "$work/gcc/tests/fault/fault_test.log")"
	figure "$(grep '^starts of the server' "$work/gcc/tests/fault/fault-plugin.log")"
}
