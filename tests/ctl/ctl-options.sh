#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Habits: help for each verb, what is wrong on the command line, sizes, pools by
# name, JSON that is JSON, progress, bash completion.
. "${top_srcdir:?}/tests/ctl/functions.sh"

pool=$tmp/p.pool
mkdir "$tmp/config"

ctl --version | grep -qE '^prmemctl [0-9]+\.[0-9]+\.[0-9]+$' || fail "no version"
need_python() {
	"$python" -c 'import json' 2>/dev/null || skip "no $python (Debian package python3)"
}
verbs=$(ctl --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | tr '\n' ' ')
is "$verbs" "format info list stat create resize rename set remove grow check scrub repair export import map " verbs
for verb in $verbs; do
	ctl "$verb" --help >"$tmp/help" || fail "$verb --help fails"
	grep -q "^usage: prmemctl $verb " "$tmp/help" || fail "$verb --help is of another verb"
	sed -n "s/^  \(--[^ ]*\( [A-Z]\+\)\?\) .*/$verb \1/p" "$tmp/help" >>"$tmp/helps"
	wrong=2
	case $verb in
	check | scrub | repair) wrong=16 ;;
	esac
	refuse $wrong 'usage: prmemctl' "$verb"
	refuse $wrong 'does not know --nonsense' "$verb" --nonsense "$pool" x y
done
refuse 2 'usage: prmemctl'
refuse 2 'nonsense is no verb' nonsense

# --help, the manual and the completion have the same verbs and options, with the same arguments.
need_python
"$python" - "$tmp/helps" "$top_srcdir/man/prmemctl.pod" "$top_srcdir/tools/completion/prmemctl" <<'PY' || fail "see above"
import re, sys
helps, manual, completion = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
wrong = []
def same(what, a, b):
    if set(a) != set(b):
        wrong.append(f"{what}: {sorted(set(a) ^ set(b))}")
has = {}  # verb: {option: argument}
for verb, option in (line.split(" ", 1) for line in helps.splitlines()):
    name, argument = re.fullmatch(r"(--[a-z-]+)(.*)", option).groups()
    has.setdefault(verb, {})[name] = argument
# What a manual's item says of who takes it; SYNOPSIS says it of all in a sentence.
section = {name: text for name, text in re.findall(r"^=head1 (.*?)\n(.*?)(?=^=head1 )", manual, re.M | re.S)}
same("verbs in --help, in the manual", has, re.findall(r"^=item B<([a-z]+)>", section["VERBS"], re.M))
everywhere = {"--json", "--verbose", "--help", "--version"}
long = set(re.findall(r"C<([a-z]+)", section["OPTIONS"].split("How far")[1].split(" are,")[0]))
takers = {}
for name, argument, text in re.findall(r"^=item B<(--[a-z-]+)>(.*?)\n\n(.*?)\n\n", section["OPTIONS"], re.M | re.S):
    takers[name] = set(re.findall(r"C<([a-z]+)>", text.split(":")[0])) if ":" in text else set()
    for verb in has:
        if name == "--progress" and "--progress" in has[verb]:
            takers[name] = long
        elif has[verb].get(name, argument).replace("[=SECONDS]", "").strip() != argument.replace("[=SECONDS]", "").strip():
            wrong.append(f"{verb} {name}: the argument is {has[verb][name]!r}, or {argument!r}")
takers["--region"] = set(has) - {"format"}
same("options in --help, in the manual", {o for v in has.values() for o in v} | {"--version"}, takers)
for name in set(takers) - everywhere:
    same(f"verbs with {name} in --help, in the manual", {v for v in has if name in has[v]}, takers[name])
shown = {}
for verb, rest in re.findall(r"^ prmemctl ([a-z]+) (.*)", section["SYNOPSIS"], re.M):
    shown.setdefault(verb, set()).update(re.findall(r"--[a-z-]+", rest))
for verb in has:
    same(f"options of {verb} in --help, in SYNOPSIS", set(has[verb]) - everywhere - {"--region", "--degraded", "--progress"},
         shown.get(verb, set()))
taking = {o for v in has.values() for o, argument in v.items() if argument.startswith(" ")}
lists = [set(re.findall(r"--[a-z-]+", line)) for line in re.findall(r"^\t+(?:case \$prev in )?(--[a-z |-]+)\)", completion, re.M)]
same("options with an argument in --help, skipped by the completion", taking, max(lists, key=len))
same("options with an argument in --help, completed", taking, set.union(*sorted(lists, key=len)[:-1]))
same("verbs that the completion knows", set(), {w for line in re.findall(r"^\t\t([a-z]+(?: \| [a-z]+)*)\)", completion, re.M)
                                             for w in line.split(" | ")} - set(has))
for line in wrong:
    print(line)
sys.exit(bool(wrong))
PY
refuse 2 'usage: prmemctl' list "$pool" too many
refuse 2 'argument is missing' format "$pool" --size
refuse 1 'no such file' list "$pool"
refuse 8 'no such file' check "$pool"
refuse 1 'give --size' format "$pool"
refuse 1 'too few' format "$pool" --size 1K
[ ! -e "$pool" ] || fail "something was made"

# Sizes.
refuse 2 'does not know -1' create "$pool" a -1
for size in 0x10 '' 1Q K 1.5 1.M '1 M' 99999999999999999999 16777216T 1MM; do
	refuse 2 'no size' create "$pool" a "$size"
done
ctl format "$pool" --size 16MiB --label 'a "label"' >/dev/null
n=0
for size in 4096:4096 4k:4096 4K:4096 1M:1048576 1MB:1048576 1MiB:1048576 1.5G:1610612736 2t:2199023255552 512b:512; do
	n=$((n + 1))
	ctl create "$pool" "d$n" "${size%:*}" >/dev/null
	ctl list "$pool" --json | grep -qE "\"name\":\"d$n\",[^}]*\"size\":${size#*:}," || fail "$size: $(ctl list "$pool" --json)"
done
refuse 2 'neither on nor off' set "$pool" d1 reserve=perhaps
refuse 2 'nothing that can be set' set "$pool" d1 colour=red
refuse 2 'give a disk and KEY=VALUE' set "$pool" d1
refuse 2 'give a disk and KEY=VALUE' set "$pool"
refuse 2 'give --size, or --add' grow "$pool"
refuse 2 'give --size, or --add' grow "$pool" --size 32M --add x
refuse 2 'is no count' stat "$pool" --watch --count x
mapfile -t many < <(printf -- '--region\n%s\n' {1..33})
refuse 2 'more than 32 of them' list "$pool" "${many[@]}"
refuse 2 'no number of seconds' stat "$pool" --watch=x
refuse 2 'goes with --watch' stat "$pool" --count 1
refuse 2 'goes with neither' stat "$pool" --prometheus --json
refuse 16 'is not known' check "$pool" --progress loud
refuse 1 'is a pool already .a "label".' format "$pool"
refuse 1 'size of its own' format "$pool" --force --size 32M

# One line, whatever there is in what it quotes.
odd=$'two\nlines \e[2J \xc2\x9b \x7f é'
refuse 1 'two\?lines \?\[2J \?\? \? é: no such file' list "$tmp/$odd"
refuse 1 'two\?lines' list "$odd"
refuse 1 'two\?lines .*: cannot be created' format "$tmp/$odd/p" --size 1M
refuse 1 'must be one line of text' grow "$pool" --add "$tmp/$odd"
refuse 1 'two\?lines .*: cannot be read' import "$pool" d1 "$tmp/$odd" --force
refuse 1 'two\?lines .*: cannot be made' export "$pool" d1 "$tmp/$odd/out"
refuse 1 'must be one line of text' create "$pool" "$odd" 1M
refuse 2 'two\?lines' create "$pool" a "$odd"
refuse 2 'two\?lines' "$odd"
refuse 2 'two\?lines' list "$pool" "--$odd"
refuse 2 'two\?lines' set "$pool" d1 "$odd=on"
if ctl list "$tmp/$odd" --json 2>&1 | grep -q '[[:cntrl:]]'; then
	fail "control characters in JSON"
fi

# A pool by name, quoted as systemd takes it; a path where there is no such name.
echo "POOL=\"$pool\" " >"$tmp/config/main.conf"
is "$(ctl list main | wc -l)" "$((n + 1))" "lines of a pool by name"
echo 'POOL=relative' >"$tmp/config/bad.conf"
refuse 1 'has no POOL= with a path' list bad
(cd "$tmp" && ctl list p.pool >/dev/null) || fail "a relative path is not found"

# JSON, also of what fails.
key=''
json() {
	ctl "$@" --json 2>/dev/null >"$tmp/json" || true
	is "$(wc -l <"$tmp/json")" 1 "lines of $* --json"
	"$python" -c 'import json, sys; o = json.load(open(sys.argv[1])); assert isinstance(o, dict) and (sys.argv[2] in o)' "$tmp/json" "$key" ||
		fail "$* --json has no $key: $(cat "$tmp/json")"
}
for each in disks:list regions:info pool:stat disks:map clean:check scrubbed:scrub repaired:repair; do
	key=${each%%:*} json "${each#*:}" "$pool"
done
key=uuid json create "$pool" j 1M
key=lost json resize "$pool" j 2M
key=uuid json rename "$pool" j k
key=uuid json set "$pool" k description=x
key=label json set "$pool" --label y
key=error json create "$pool" k 1M
key=data json export "$pool" k "$tmp/k.img"
key=freed json remove "$pool" k
key=data json import "$pool" k "$tmp/k.img"
key=size_before json grow "$pool" --size 20M
key=uuid json format "$tmp/other.pool" --size 1M
key=error json export "$pool" k "$tmp/no/k.img"
key=error json import "$pool" l "$tmp/no.img"
key=error json list bad
key=error json list "$tmp/no.pool"
grep -q '"code":"ENOENT"' "$tmp/json" || fail "no code in JSON"

# Output that cannot be written is a failure.
status=0
ctl list "$pool" >/dev/full 2>/dev/null || status=$?
is "$status" 1 "status with a full standard output"

# Progress in lines; a scrub at a given rate takes its time, and can be interrupted.
head -c 2M /dev/urandom >"$tmp/data"
ctl import "$pool" busy "$tmp/data" >/dev/null
ctl scrub "$pool" --rate 1500K --progress=plain >/dev/null 2>"$tmp/progress"
grep -qE '^scrub: [0-9]+%, .* of .*, .*/s, .* left$' "$tmp/progress" || fail "no progress: $(cat "$tmp/progress")"
if ctl scrub "$pool" 2>&1 >/dev/null | grep .; then
	fail "progress without a terminal"
fi
if command -v script >/dev/null; then
	script -qec "LD_LIBRARY_PATH='$top_builddir/.libs' '$prmemctl' scrub '$pool' --rate 3M" "$tmp/typescript" >/dev/null
	grep -qE 'scrub: \[#* *\] [0-9]+%' "$tmp/typescript" || fail "no bar on a terminal: $(cat "$tmp/typescript")"
fi
LD_LIBRARY_PATH=$top_builddir/.libs "$prmemctl" scrub "$pool" --rate 64K >/dev/null 2>"$tmp/err" &
scrub=$!
sleep 0.3
kill -TERM $scrub
status=0
wait $scrub || status=$?
is "$status" 32 "status of a scrub that was interrupted"
is "$(wc -l <"$tmp/err")" 1 "lines of a scrub that was interrupted"

# Completion.
. "$top_srcdir/tools/completion/prmemctl"
prmemctl() {
	ctl "$@"
}
complete_line() { # WORD... - what would be offered for the last word
	COMP_WORDS=(prmemctl "$@")
	COMP_CWORD=$#
	_prmemctl
	printf '%s ' "${COMPREPLY[@]}"
}
is "$(complete_line re)" "resize rename remove repair " "verbs that begin with re"
is "$(complete_line resize "$pool" bu)" "busy " "disks that begin with bu"
is "$(complete_line resize --force "$pool" bu)" "busy " "disks behind an option"
is "$(complete_line remove "$pool" --w)" "--wipe " "options of remove"
is "$(complete_line format "$pool" --size 1G --l)" "--label " "options behind an argument"
is "$(complete_line info "$tmp/p.p")" "$pool " "files"
is "$(complete_line scrub --progress pl)" "plain " "arguments of --progress"
is "$(complete_line set "$pool" busy res)" "reserve=on reserve=off " "settings"
is "$(complete_line list mai)" "main " "pools that are configured"
is "$(complete_line list main bu)" " " "arguments that list does not have"
is "$(complete_line remove main bu)" "busy " "disks of a configured pool"
is "$(complete_line check main --disk bu)" "busy " "disks behind --disk"
is "$(complete_line scrub main bu)" " " "disks where none is taken"
is "$(complete_line create main new 12)" "12K 12M 12G 12T " "sizes"
is "$(complete_line resize main busy 1.5)" "1.5K 1.5M 1.5G 1.5T " "sizes with a point"
is "$(complete_line create main new 12G)" "12G " "a size that is one"
is "$(complete_line format main --size 3)" "3K 3M 3G 3T " "sizes behind an option"
is "$(complete_line info "$pool" --region "$tmp/p.p")" "$pool " "files behind an option"

# The map keeps to the width of the terminal.
ctl create "$pool" wide 3M >/dev/null
for columns in 20 47 80 200; do
	COLUMNS=$columns ctl map "$pool" >"$tmp/map"
	COLUMNS=$columns ctl map "$pool" wide >>"$tmp/map"
	[ "$(grep -v allocated "$tmp/map" | grep -v 'a character is' | wc -L)" -le "$columns" ] || fail "wider than $columns: $(cat "$tmp/map")"
	[ "$(grep -c '^wide ' "$tmp/map")" -eq 1 ] || fail "no line for a disk: $(cat "$tmp/map")"
done

# On a terminal: as wide as that is, and colour for what is damaged, unless it is not wanted.
if command -v script >/dev/null; then
	truncate -s 4M "$tmp/two"
	for at in 0 600; do
		dd if="$tmp/data" of="$tmp/two" bs=4096 count=1 seek=$at conv=notrunc status=none
	done
	ctl format "$tmp/bad.pool" --size 1M >/dev/null
	ctl import "$tmp/bad.pool" bad "$tmp/two" >/dev/null
	damage_index "$tmp/bad.pool" bad
	terminal() { # COMMAND... - what is written to a terminal of 60 columns
		script -qec "stty cols 60; unset COLUMNS NO_COLOR; export LD_LIBRARY_PATH='$top_builddir/.libs'; $*" \
			"$tmp/typescript" </dev/null | tr -d '\r'
	}
	terminal "'$prmemctl' list '$tmp/bad.pool'" | grep -q $'^\e\[31mbad .*D.*\e\[0m$' || fail "damage has no colour"
	for plain in "NO_COLOR=1 '$prmemctl' list '$tmp/bad.pool'" "'$prmemctl' list '$tmp/bad.pool' | cat" "'$prmemctl' list '$pool'"; do
		terminal "$plain" >"$tmp/plain"
		grep -q DISK "$tmp/plain" || fail "no list from $plain"
		if grep -q $'\e' "$tmp/plain"; then
			fail "colour from $plain"
		fi
	done
	terminal "'$prmemctl' map '$pool'" | grep '^wide ' >"$tmp/map"
	COLUMNS=60 ctl map "$pool" | grep '^wide ' >"$tmp/map60"
	cmp "$tmp/map" "$tmp/map60" || fail "the map does not have the width of the terminal: $(cat "$tmp/map")"
fi

# Interrupted: nothing is left of it, and the status says so.
interrupts "$pool" busy

# A file that is searched before it is formatted: how far, and that it is blank.
dd if=/dev/zero of="$tmp/blank" bs=1M count=16 status=none
ctl format "$tmp/blank" --progress=plain 2>"$tmp/progress" >/dev/null
grep -qE '^format: 100%, 16 MiB of 16 MiB, ' "$tmp/progress" || fail "no progress of a format: $(cat "$tmp/progress")"
for verb in scrub check; do
	ctl $verb "$pool" --progress=plain 2>&1 >/dev/null | grep -qE "^$verb: [0-9]+%" || fail "no progress of $verb"
done
ctl export "$pool" busy "$tmp/busy" --progress=plain 2>&1 >/dev/null | grep -qE '^export: 100%' || fail "no progress of an export"
ctl import "$pool" again "$tmp/busy" --progress=plain 2>&1 >/dev/null | grep -qE '^import: 100%' || fail "no progress of an import"
ctl remove "$pool" again --wipe --progress=plain 2>&1 >/dev/null | grep -qE '^remove: [0-9]+%' || fail "no progress of a wipe"
