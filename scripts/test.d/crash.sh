# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Crash states of a simulated memory.

# CRASH_IMAGES distinct ones (5000000, 5e6), one in ten with nodes of 512 slots,
# the others with nodes of 4; and all mutants with each.  CRASH_SEED repeats.
step_crash() {
	local images=${CRASH_IMAGES:-5e6} program part text
	# Of its own: this may be configured before the tests' packages are there.
	configure_only crash CC=gcc --disable-shared --enable-debug
	make --no-print-directory -s -C "$work/crash" -j"$jobs" tests/crash/crash_test tests/crash/crash_tiny_test
	: >crash.out
	for program in crash_test:0.1 crash_tiny_test:0.9; do
		part=$(awk -v n="$images" -v share="${program#*:}" 'BEGIN { printf "%.0f", n * share }')
		"$work/crash/tests/crash/${program%:*}" --images "$part" -j "$jobs" ${CRASH_SEED:+-s "$CRASH_SEED"} |
			tee -a crash.out
	done
	# One line for both programs.
	text=$(awk '
		/^seed / { seeds = seeds " " $2 }
		/^crash images explored:/ { images += $4 }
		/^distinct workloads:/ { workloads += $3 }
		/^mutants:/ { caught += $2; planted += $5 }
		END {
			printf "crash images explored: %.0f distinct; distinct workloads: %d; ", images, workloads
			printf "mutants: %d caught of %d planted; seeds%s", caught, planted, seeds
		}' crash.out)
	echo "$text"
	figure "$text"
}
