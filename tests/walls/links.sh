#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# xarray/ needs nothing of the engine or of libpmem: it links without them.
. "${top_srcdir:?}/tests/walls/functions.sh"
need nm binutils

# The convenience libraries as archives.
for lib in xarray common; do
	[ -e "$top_builddir/.libs/lib$lib.a" ] || skip "no lib$lib.a in the build tree"
done
foreign=$(nm -u "$top_builddir/.libs/libxarray.a" "$top_builddir/.libs/libcommon.a" 2>/dev/null |
	awk '$1 == "U" { print $2 }' | grep -E '^(pmem|prmem|nbdkit|pool|page|sb|blkid)_' | sort -u)
[ -z "$foreign" ] || wrong "xarray/ and common/ need:" "$foreign"

# link FUNCTION - link a program that uses xarray/ and calls a function.
link() {
	cat >"$tmp/user.c" <<-END
		void $1(void);
		unsigned int xa_err(unsigned long long entry);
		int main(void)
		{
			$1();
			return (int)xa_err(0);
		}
	END
	# shellcheck disable=SC2086 # CC may hold flags
	(
		cd "$top_builddir" &&
			$CC -fno-builtin $SANITIZE_CFLAGS -c -o "$tmp/user.o" "$tmp/user.c" &&
			./libtool --quiet --tag=CC --mode=link $CC $SANITIZE_CFLAGS -o "$tmp/user" "$tmp/user.o" \
				libxarray.la libcommon.la
	) >"$tmp/link.log" 2>&1
}
link abort || wrong "a program with libxarray.la and libcommon.la alone does not link: $(cat "$tmp/link.log")"
# This is what the wall is for.
for planted in pmem_drain prmem_close page_retire; do
	if link "$planted"; then
		wrong "a call of $planted() links with xarray/ alone: the wall is gone"
	elif ! grep -q "$planted" "$tmp/link.log"; then
		wrong "the link with $planted() failed, but not for its sake: $(cat "$tmp/link.log")"
	fi
done
exit $errors
