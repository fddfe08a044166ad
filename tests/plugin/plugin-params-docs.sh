#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What --dump-plugin lists is what --help shows and what the manual explains;
# the manual shows each parameter in use and says each default; the debug flag
# is there under the name it has in the manual.
. "${top_srcdir:?}/tests/plugin/functions.sh"
pod=$top_srcdir/man/nbdkit-prmem-plugin.pod

env "${preload[@]}" nbdkit "$PRMEM_PLUGIN" --dump-plugin >"$tmp/dump"
env "${preload[@]}" nbdkit "$PRMEM_PLUGIN" --help >"$tmp/help"
grep -qE '^prmem_version=[0-9]+\.[0-9]+' "$tmp/dump" || fail "no version in --dump-plugin"
grep -qx 'thread_model=parallel' "$tmp/dump" || fail "not parallel"
grep -qx 'errno_is_preserved=1' "$tmp/dump" || fail "errno is not preserved"
grep -qx 'magic_config_key=pool' "$tmp/dump" || fail "no magic key"

dump=$(sed -n 's/^prmem_parameters=//p' "$tmp/dump" | tr ',' '\n' | sort)
help=$(sed -nE 's/^\[?([a-z-]+)=\]?<.*/\1/p' "$tmp/help" | sort)
manual=$(sed -n '/^=head1 PARAMETERS/,/^=head1 EXPORTS/p' "$pod" | sed -nE 's/^=item (\[B<([a-z-]+)=>\]|B<([a-z-]+)=>).*/\2\3/p' | sort -u)
[ "$(wc -w <<<"$dump")" -eq 10 ] || fail "parameters: $dump"
is "$help" "$dump" "parameters of --help"
is "$manual" "$dump" "parameters of the manual"

for key in $dump; do
	grep -qE "^ +nbdkit .*\b$key=" "$pod" || fail "the manual has no example of $key="
	[ "$key" = pool ] || sed -nE "/^=item B<$key=>/,/^=item B<|^=back/p" "$pod" | grep -qiE 'default|without it|when it is left out' ||
		fail "the manual does not say what holds without $key="
	# Given twice, it is refused: so each is known to the parser under this name.
	value=1M
	case $key in
	format) value=auto ;;
	max-disks) value=1 ;;
	degraded) value=yes ;;
	# May be given again.
	region) continue ;;
	esac
	refused "$key= is given twice" "$key=$value" "$key=$value"
done

flag=$(sed -nE 's/^=item B<-D> B<prmem\.([a-z]+)=.*/\1/p' "$pod")
[ -n "$flag" ] || fail "no debug flag in the manual"
for f in $flag; do
	env "${preload[@]}" nbdkit -D "prmem.$f=1" "$PRMEM_PLUGIN" --dump-plugin >/dev/null || fail "no debug flag prmem.$f"
done

# The symbols that nbdkit's process gets to see.
if command -v nm >/dev/null; then
	symbols=$(nm -D --defined-only "$PRMEM_PLUGIN" | awk '$2 != "A" { print $3 }' | sort | tr '\n' ' ')
	is "$symbols" "plugin_init prmem_debug_$flag " "exported symbols"
fi
