#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each name in common/pm_sites.h stands for one place in the sources: a crash
# test that breaks it breaks just that place.
. "${top_srcdir:?}/tests/walls/functions.sh"
cd "$top_srcdir" || exit 1

sites=$(sed -nE 's/^[[:space:]]*X\(([A-Z0-9_]+), .*/\1/p' common/pm_sites.h)
[ "$(wc -w <<<"$sites")" -ge 20 ] || wrong "only $(wc -w <<<"$sites") sites found in common/pm_sites.h"
used=$(cat xarray/*.[ch] prmem/*/*.[ch] | grep -oE '\bPM_SITE_[A-Z0-9_]+\b' | sed 's/^PM_SITE_//')
for site in $sites; do
	nr=$(grep -cx "$site" <<<"$used")
	[ "$nr" -eq 1 ] || wrong "PM_SITE_$site is used $nr times in xarray/ and prmem/: $(grep -rlw "PM_SITE_$site" xarray prmem | tr '\n' ' ')"
done
# Everything that changes persistent memory goes by way of a site.
grep -nE '\b(pmem_(memcpy|memmove|memset|persist|flush|drain|msync|deep)[a-z_]*|memcpy_nt|_mm_clwb|_mm_sfence|_mm_clflush[a-z]*)\b' \
	xarray/*.[ch] prmem/*/*.[ch] common/*.[ch] | grep -v '^prmem/memory/pm_libpmem.c:' >"$tmp/around"
[ ! -s "$tmp/around" ] || wrong "around common/pm.h: $(cat "$tmp/around")"
exit $errors
