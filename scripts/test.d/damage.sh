# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Damaged pools.

# All single bits of a pool, and other shapes; DAMAGE_STRIDE=N: every N-th bit.
step_damage() {
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	make --no-print-directory -s -C "$work/gcc" -j"$jobs" tests/damage/damage_test
	make --no-print-directory -s -C "$work/gcc" check-damage | tee damage.out
	figure "$(grep '^damaged images opened' damage.out)"
}
