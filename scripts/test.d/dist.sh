# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Steps about what is shipped and installed.

# Installs into a directory and uses it from there as another project would.
step_install() {
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	local root=$work/destdir f
	make --no-print-directory -s -C "$work/gcc" install DESTDIR="$root"
	result PASS "make install DESTDIR=..."
	for f in "$root$work/gcc/root/include/prmem/prmem.h" "$root$work/gcc/root/include/prmem/xarray.h" \
		"$root$work/gcc/root/lib/libprmem.so" "$root$work/gcc/root/lib/pkgconfig/libprmem.pc"; do
		if [ -e "$f" ]; then
			result PASS "installed: ${f#"$root$work/gcc/root/"}"
		else
			result FAIL "installed: ${f#"$root$work/gcc/root/"}"
		fi
	done
	cat >"$work/user.c" <<-'END'
		#include <prmem.h>
		#include <stdio.h>
		int main(void)
		{
			return puts(prmem_version()) < 0 || xa_to_value(xa_mk_value(7)) != 7;
		}
	END
	export PKG_CONFIG_PATH=$root$work/gcc/root/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
	# shellcheck disable=SC2046 # flags are words
	gcc -Wall -Wextra -Werror -o "$work/user" "$work/user.c" $(pkg-config --cflags --libs libprmem)
	[ "$(LD_LIBRARY_PATH=$root$work/gcc/root/lib "$work/user")" = "$(pkg-config --modversion libprmem)" ]
	result PASS "a program with libprmem.pc"
}

step_distcheck() {
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	# All tests ran in the other steps: here the quick ones show that the
	# tarball has what they need, and what the compiler makes of it is of no interest.
	PRMEM_QUICK=1 DISTCHECK_CONFIGURE_FLAGS='CFLAGS=-O0' make --no-print-directory -s -C "$work/gcc" -j"$jobs" distcheck \
		TESTS="$(tests_of gcc wall_tests)"
}
