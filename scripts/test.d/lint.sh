# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Steps that read the sources.

# All shell scripts of the tree, by name or by first line.
shell_scripts() {
	(
		cd "$src" || exit
		find . -path './build*' -prune -o -path ./configure -prune -o -path ./autom4te.cache -prune -o -type f -print |
			while IFS= read -r f; do
				case $f in
				*.sh) printf '%s\n' "$f" ;;
				*) if head -c 64 "$f" | grep -qaE '^#! ?/(usr/)?bin/(env )?(ba)?sh'; then printf '%s\n' "$f"; fi ;;
				esac
			done | sort
	)
}

step_lint() {
	need shellcheck shellcheck
	local verdict f
	mkdir -p lint
	while read -r verdict f; do
		result "$verdict" "shellcheck $f"
		[ "$verdict" = PASS ] || cat "lint/${f//\//_}"
	done < <(shell_scripts | (
		cd "$src" &&
			LINT=$work/lint xargs -P "$jobs" -I@ bash -c \
				'shellcheck "$1" >"$LINT/${1//\//_}" 2>&1 && echo "PASS $1" || echo "FAIL $1"' _ @
	))
}

# Misspelt words; .codespellrc has those that are meant.
step_spelling() {
	need codespell codespell
	cd "$src" || return
	codespell
}

# What clang-format would change. Columns of a media format are a table, which it
# would tear apart.
step_format() {
	need clang-format clang-format
	cd "$src" || return
	find common xarray control plugin tools examples tests -name '*.[ch]' ! -name '*_format.h' -print0 |
		xargs -0 -P "$jobs" -n 20 clang-format --dry-run -Werror
}

# Flags that the sources need to be read at all.
lint_flags=(-D_GNU_SOURCE -D'PACKAGE_VERSION="0"' -D'CONFDIR="/etc/prmem"' -I. -Iprmem -Ixarray)

step_cppcheck() {
	need cppcheck cppcheck
	cd "$src" || return
	# Leaks are for AddressSanitizer (cppcheck does not know the cleanup attribute), and what is
	# not initialised for valgrind (it takes arrays that another file fills for that).
	cppcheck -j "$jobs" -q --std=c17 --language=c --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=memleak --suppress=resourceLeak --suppress=uninitvar --error-exitcode=1 \
		-D__x86_64__ -D__linux__ "${lint_flags[@]}" common xarray prmem control plugin tools
}

step_tidy() {
	need clang-tidy clang-tidy
	cd "$src" || return
	local nl_flags
	read -ra nl_flags <<<"$(pkg-config --cflags libnl-genl-3.0 json-c)"
	find common xarray prmem control plugin tools -name '*.c' -print0 |
		xargs -0 -P "$jobs" -I@ clang-tidy --quiet @ -- -std=gnu17 "${lint_flags[@]}" "${nl_flags[@]}" '-DCONFDIR="/etc/prmem"' 2>&1 |
		{ grep -v 'warnings\? generated\.$' || true; }
}
