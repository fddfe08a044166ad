#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The units as make leaves them are what systemd understands, the udev rules
# have no unknown key, the scripts of the initramfs parse.
. "${top_srcdir:?}/tests/walls/functions.sh"
# shellcheck disable=SC2154
units=$top_builddir/scripts/system

for f in prmem@.socket prmem@.service prmem-nbd@.service initramfs-hook initramfs-script; do
	[ -s "$units/$f" ] || wrong "$f was not made"
	if grep -n '@[A-Za-z]*@' "$units/$f"; then
		wrong "$f: something was not put in"
	fi
done
for f in initramfs-hook initramfs-script; do
	sh -n "$units/$f" || wrong "$f: does not parse"
done
grep -q '^KillSignal=SIGKILL' "$units/prmem@.service" || wrong "prmem@.service does not kill with SIGKILL"

if command -v systemd-analyze >/dev/null; then
	# Programs that are not installed yet are stood in for by true(1).
	mkdir "$tmp/units"
	for f in prmem@.socket prmem@.service prmem-nbd@.service; do
		sed -E 's|^(Exec[A-Za-z]*=)[^ ]+|\1/bin/true|' "$units/$f" >"$tmp/units/${f/@/@test-disk}"
		cp "$tmp/units/${f/@/@test-disk}" "$tmp/units/$f"
	done
	cp "$top_srcdir/scripts/system/prmem.target" "$tmp/units/"
	for f in prmem@test-disk.socket prmem@test-disk.service prmem-nbd@test-disk.service prmem.target; do
		SYSTEMD_UNIT_PATH=$tmp/units: systemd-analyze verify --man=no "$tmp/units/$f" >"$tmp/verify" 2>&1 ||
			wrong "systemd-analyze verify $f: $(cat "$tmp/verify")"
		if grep -E "^($tmp/units/)?prmem" "$tmp/verify"; then
			wrong "systemd-analyze verify $f: $(cat "$tmp/verify")"
		fi
	done
	# It can fail.
	sed -i 's/^KillSignal=.*/KillSignal=SIGNONSENSE/' "$tmp/units/prmem@test-disk.service"
	SYSTEMD_UNIT_PATH=$tmp/units: systemd-analyze verify --man=no "$tmp/units/prmem@test-disk.service" >"$tmp/verify" 2>&1
	grep -q NONSENSE "$tmp/verify" || wrong "systemd-analyze saw nothing wrong with SIGNONSENSE"
else
	echo "no systemd-analyze: the units were not verified"
fi

for rules in "$top_srcdir"/scripts/system/*.rules; do
	unknown=$(grep -v '^#' "$rules" | tr ',' '\n' | sed -E 's/^ +//' | grep -oE '^[A-Z]+' |
		grep -vxE 'ACTION|SUBSYSTEM|KERNEL|ENV|TEST|ATTR|OPTIONS|PROGRAM|SYMLINK|LABEL|GOTO|GROUP|MODE|TAG')
	[ -z "$unknown" ] || wrong "$rules: unknown keys: $unknown"
done
# shellcheck disable=SC2154
exit "$errors"
