# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Steps in a virtual machine, and with Debian's packages.

# The scenarios of tests/kernel.  Kernels are kept from one run to the next.
step_kernel() {
	need qemu-system-x86_64 qemu-system-x86
	[ -e "$work/gcc/Makefile" ] || configure_build gcc CC=gcc
	make --no-print-directory -s -C "$work/gcc" -j"$jobs" all tests/kernel/resize tests/kernel/hwpoison tests/kernel/poison_shim.la
	local verdict name why
	export PRMEM_VM_CACHE=${PRMEM_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/prmem-vm}
	while read -r verdict name why; do
		case $verdict in
		PASS | FAIL | SKIP) result "$verdict" "$name" "$why" ;;
		esac
	done < <(PRMEM_BUILDDIR=$work/gcc "$src/tests/kernel/run" | tee /dev/stderr)
}

# debian/ yields packages that can be installed and that lintian has no error for.
step_deb() {
	need dpkg-buildpackage dpkg-dev
	need dh debhelper
	local deb
	rm -rf "$work/deb"
	mkdir -p "$work/deb"
	cp -a "$src" "$work/deb/prmem"
	(cd "$work/deb/prmem" && DEB_BUILD_OPTIONS="nocheck parallel=$jobs" dpkg-buildpackage -us -uc -b)
	for deb in nbdkit-plugin-prmem libprmem0 libprmem-dev prmem-tools; do
		if dpkg-deb --info "$work/deb/${deb}"_*.deb >/dev/null; then
			result PASS "package $deb"
		else
			result FAIL "package $deb"
		fi
	done
	if ! command -v lintian >/dev/null; then
		result SKIP lintian "no lintian; Debian package lintian"
	elif lintian --allow-root --fail-on error "$work"/deb/*.changes; then
		result PASS lintian
	else
		result FAIL lintian
	fi
}
