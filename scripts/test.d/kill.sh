# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# SIGKILL at random moments.

# A thousand kills, or as many as fit in KILL_SECONDS; KILL_CYCLES: as many as
# that. KILL_ROUNDS: of each verb of prmemctl.
step_kill() {
	need nbdkit nbdkit
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	make --no-print-directory -s -C "$work/gcc" check-kill ${KILL_CYCLES:+KILL_CYCLES="$KILL_CYCLES"} | tee kill.out
	figure "$(grep '^kill cycles' kill.out)"
	# Each verb of prmemctl, it, the server or the server's client killed, so many times.
	PRMEM_KILL_ROUNDS=${KILL_ROUNDS:-20} make --no-print-directory -s -C "$work/gcc" check TESTS=tests/ctl/ctl-kill.sh
	figure "$(grep 'times the old state' "$work/gcc/tests/ctl/ctl-kill.log")"
}
