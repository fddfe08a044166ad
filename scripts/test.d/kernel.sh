# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Steps in a virtual machine, and with Debian's packages.

# Package lists that are missing or old name kernels that cannot be downloaded.
update_lists() {
	local root=()

	[ -z "${PRMEM_NO_INSTALL-}" ] || return 0
	! compgen -G "$PRMEM_VM_CACHE/linux-image-*/done" >/dev/null || return 0
	[ "$(id -u)" -eq 0 ] || root=(sudo -n)
	"${root[@]}" apt-get -q update || say "apt-get update failed; going on"
}

# The scenarios of tests/kernel.  Kernels are kept from one run to the next.
step_kernel() {
	need qemu-system-x86_64 qemu-system-x86
	# Installed in the machine as a package would.
	configure_build vm CC=gcc --prefix=/usr --libdir="/usr/lib/$(uname -m)-linux-gnu"
	make --no-print-directory -s -C "$work/vm" -j"$jobs" tests/kernel/resize tests/kernel/hwpoison tests/kernel/poison_shim.la
	# Another build, to replace a server by while it is used.
	[ -e "$work/clang/.libs/nbdkit-prmem-plugin.so" ] || configure_build clang CC=clang
	export PRMEM_VM_NEWER=$work/clang/.libs/nbdkit-prmem-plugin.so
	local verdict name why
	export PRMEM_VM_CACHE=${PRMEM_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/prmem-vm}
	update_lists
	while read -r verdict name why; do
		case $verdict in
		PASS | FAIL | SKIP) result "$verdict" "$name" "$why" ;;
		esac
	done < <(PRMEM_BUILDDIR=$work/vm "$src/tests/kernel/run" | tee /dev/stderr)
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
