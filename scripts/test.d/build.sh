# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Steps that build with one compiler or sanitizer and run `make check`.

# need PROGRAM PACKAGE - skip the rest of the step without it.
need() {
	command -v "$1" >/dev/null || {
		result SKIP "$step" "no $1; Debian package $2"
		exit 0
	}
}

# configure_only NAME [ARGUMENT...] - configure in $work/NAME.
configure_only() {
	local name=$1
	shift
	mkdir -p "$work/$name"
	(cd "$work/$name" && "$src/configure" --quiet --enable-Werror --prefix="$work/$name/root" "$@") >"$work/$name/configure.out" 2>&1 || {
		cat "$work/$name/configure.out"
		result FAIL configure "$name"
		exit 1
	}
}

# configure_build NAME [ARGUMENT...] - configure and build in $work/NAME.
configure_build() {
	configure_only "$@"
	make --no-print-directory -s -C "$work/$1" -j"$jobs"
}

# fast_tmp - files of the tests of this step in memory, if there is much of it:
# many of them sync, and the step gcc does that on a disk.
fast_tmp() {
	[ ! -w /dev/shm ] || [ "$(df --output=avail /dev/shm | tail -n 1)" -lt 2000000 ] || export TMPDIR=/dev/shm
}

# make_check NAME [ARGUMENT...] - run make check in $work/NAME, report each
# test, and show the logs of those that failed.  Many tests wait, so there are
# more of them at a time than processors.
make_check() {
	local name=$1 status=0 trs log test verdict why
	shift
	find "$work/$name" -name '*.trs' -delete
	make --no-print-directory -s -C "$work/$name" -j$((2 * jobs)) "${check_goal:-check}" "$@" \
		>"$work/$name/check.out" 2>&1 || status=$?
	while IFS= read -r trs; do
		test=${trs#"$work/$name/"}
		test=${test%.trs}
		log=$work/$name/$test.log
		verdict=$(sed -n 's/^:test-result: //p' "$trs")
		case $verdict in
		PASS) result PASS "$test" ;;
		SKIP)
			why=$(grep -v '^SKIP ' "$log" | grep -v '^$' | tail -n 1)
			result SKIP "$test" "${why:-no reason given}"
			;;
		*)
			result FAIL "$test" "$verdict"
			printf '==== %s\n' "$test"
			tail -n 50 "$log"
			;;
		esac
	done < <(find "$work/$name" -name '*.trs' | sort)
	# A test that did not even build leaves no result.
	if [ "$status" -ne 0 ] && [ "$(count FAIL "$step")" -eq 0 ]; then
		tail -n 40 "$work/$name/check.out"
		return 1
	fi
}

# check_only NAME PROGRAM... - build these programs and nothing else, run them.
check_only() {
	local name=$1
	shift
	make --no-print-directory -s -C "$work/$name" -j"$jobs" "$@"
	fast_tmp
	check_goal=check-TESTS make_check "$name" check_PROGRAMS="$*" check_LTLIBRARIES= TESTS="$*"
}

# tests_of NAME VARIABLE - the value of a variable of the Makefile.
tests_of() {
	# shellcheck disable=SC2016 # make's variables, not the shell's
	make --no-print-directory -s -C "$work/$1" --eval='print-tests: ; @echo $('"$2"')' print-tests
}

step_gcc() {
	need gcc gcc
	configure_build gcc CC=gcc
	make_check gcc
}

step_clang() {
	need clang clang
	configure_build clang CC=clang
	make_check clang TESTS="$(tests_of clang unit_tests)"
}

# Unit tests only.  With AddressSanitizer preloaded, a program with GnuTLS in it,
# such as the stock nbdkit, hangs in p11-kit's destructor at exit once anything
# has called strerror(); that needs no plugin of ours.
step_asan() {
	configure_only asan CC=gcc --disable-static --enable-debug --enable-sanitizers=address,undefined CFLAGS='-g -O1'
	# shellcheck disable=SC2046 # names
	PRMEM_QUICK=1 check_only asan $(tests_of asan unit_tests)
}

step_tsan() {
	configure_only tsan CC=gcc --disable-static --enable-debug --enable-sanitizers=thread CFLAGS='-g -O1'
	# shellcheck disable=SC2046 # names
	PRMEM_QUICK=1 check_only tsan $(tests_of tsan threaded_tests)
}

# What the tests reach of the two rooms that hold all that must not go wrong;
# COVERAGE_MIN: the lines, in percent, that they must reach.
step_coverage() {
	need gcovr gcovr
	configure_build coverage CC=gcc CFLAGS='-g -O0 --coverage -fprofile-update=atomic' --disable-static
	local unit others='tests/damage/damage_test' scripts numbers
	unit=$(tests_of coverage unit_tests)
	fast_tmp
	# A program that is killed writes nothing down, and one whose calls fail fails to.
	scripts=$(tests_of coverage shell_tests | tr ' ' '\n' |
		grep -E '^tests/(plugin|ctl|layout)/|^tests/fuzz/pool-fuzz' | tr '\n' ' ')
	PRMEM_QUICK=1 FUZZ_INPUTS=3000 make_check coverage TESTS="$unit $others $scripts" \
		check_PROGRAMS="$unit $others $(tests_of coverage check_PROGRAMS | tr ' ' '\n' |
			grep -E '^tests/(layout|fuzz|ctl|plugin)/' | tr '\n' ' ')"
	gcovr --root "$src" --object-directory coverage --filter "$src/xarray/" --filter "$src/prmem/" -j "$jobs" \
		--print-summary --fail-under-line "${COVERAGE_MIN:-95}" >coverage/report 2>>coverage/gcovr.log || {
		cat coverage/report
		tail -n 20 coverage/gcovr.log
		result FAIL "line coverage of xarray/ and prmem/ is below ${COVERAGE_MIN:-95} %"
		exit 1
	}
	cat coverage/report
	numbers=$(sed -nE 's/^(lines|branches): ([0-9.]+)% .*/\1 \2 %/p' coverage/report | paste -s -d, | sed 's/,/, /')
	figure "coverage of xarray/ and prmem/: $numbers"
}

# Leaks are ASan's; this finds what was never initialised, in every unit test,
# with a tenth of the rounds of those that are random.
step_valgrind() {
	need valgrind valgrind
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	local unit
	unit=$(tests_of gcc unit_tests)
	fast_tmp
	# The tests of SIGBUS go on behind a fault: registers must be right there.
	# Without a fair scheduler threads that poll keep the others waiting.
	PRMEM_QUICK=10 FAULT_STEP=12 check_goal=check-TESTS make_check gcc \
		check_PROGRAMS="$unit" check_LTLIBRARIES= TESTS="$unit" \
		LOG_COMPILER="timeout --kill-after=10 900 valgrind -q --error-exitcode=1 --child-silent-after-fork=yes --fair-sched=yes --vex-iropt-register-updates=allregs-at-mem-access --suppressions=$src/tests/unit/valgrind.supp"
}
