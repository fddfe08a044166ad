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
is "$verbs" "format info list stat create resize rename set remove grow check scrub repair export import map debug " verbs
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
refuse 2 '"" is no verb' ''
is "$(ctl help resize)" "$(ctl resize --help)" "help of a verb"
is "$(ctl help)" "$(ctl --help)" "help of all"

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

# Somebody has a pool, and serves nobody: prmemctl waits, and says so in the end. (Looked at below.)
ctl format "$tmp/taken.pool" --size 1M >/dev/null
(
	exec 9<"$tmp/taken.pool"
	flock -n 9
	status=0
	LD_LIBRARY_PATH=$top_builddir/.libs "$prmemctl" create "$tmp/taken.pool" n 1M >"$tmp/taken" 2>&1 9<&- || status=$?
	echo "status $status" >>"$tmp/taken"
) &
taker=$!

# Sizes.
refuse 2 'does not know -1;' create "$pool" a -1
refuse 2 'does not know -1;' create "$pool" a -1M
refuse 2 'takes no argument: --json=3;' list "$pool" --json=3
refuse 2 'create: "" is no size' create "$pool" a ''
refuse 1 'the name of the pool is empty' list ''
refuse 8 'the name of the pool is empty' check ''
refuse 1 '0 bytes are too few for a pool' format "$pool" --size 0
refuse 1 'a label has up to 63 characters, none of them a control character' format "$pool" --size 1M --label $'\e[2J'
refuse 1 'a label has up to 63 characters' format "$pool" --size 1M --label "$(printf 'x%.0s' {1..64})"
refuse 1 'a label has up to 63 characters' format "$pool" --size 1M --label $'\xff'
[ ! -e "$pool" ] || fail "something was made"
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
refuse 2 'read-only is there twice' set "$pool" d1 read-only=on read-only=off
refuse 2 'description is there twice' set "$pool" d1 description=a reserve=on description=a
refuse 2 '"" is neither on nor off' set "$pool" d1 reserve=
refuse 1 'there is no disk ""' remove "$pool" ''
refuse 1 'names and texts must be UTF-8' set "$pool" d1 $'description=\xff'
refuse 2 'give a disk and KEY=VALUE' set "$pool" d1
refuse 2 'give a disk and KEY=VALUE' set "$pool"
refuse 2 'give --size, or --add' grow "$pool"
refuse 2 'give --size, or --add' grow "$pool" --size 32M --add x
refuse 2 'is no count' stat "$pool" --watch --count x
refuse 2 'no number of seconds' stat "$pool" --watch 0 2
refuse 2 'is no count' stat "$pool" --watch 1 0
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

# No control character of a pool reaches a terminal, and JSON has all of them.
evil=$'evil\e[2J\xc2\x9b\x7f.pool'
ctl format "$tmp/$evil" --size 1M >/dev/null
ctl create "$tmp/$evil" d 1M --description $'one \xc2\x9b two' >/dev/null
ctl grow "$tmp/$evil" --add "$tmp/region"$'\xc2\x9b' --add-size 256K >/dev/null
for verb in info list stat check 'stat --watch=0.01 --count 2' 'set --label x' "grow --add $tmp/more --add-size 256K" \
	'export d -'; do
	read -ra words <<<"$verb"
	ctl "${words[0]}" "$tmp/$evil" "${words[@]:1}" >"$tmp/shown" 2>&1
	if LC_ALL=C tr -d '\0' <"$tmp/shown" | grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]'; then
		fail "$verb shows control characters: $(cat -v "$tmp/shown")"
	fi
done
is "$(ctl list "$tmp/$evil" | sed -n 's/^d .*- *//p')" 'one ?? two' "a description"
is "$(ctl info "$tmp/$evil" | sed -n 's/^region 1 *//p')" "$tmp/region??, 256 KiB" "the path of a region"
is "$(ctl format "$tmp/$evil" --force)" "pool $tmp/evil?[2J???.pool: formatted, 1 MiB" "a path that was formatted"
ctl info "$tmp/$evil" --json >"$tmp/json"
grep -qF "/evil\\u001b[2J\\u009b\\u007f.pool\"" "$tmp/json" || fail "not all is in JSON: $(cat -v "$tmp/json")"
# What is not UTF-8 has no place in JSON, and yet it can be a path.
ctl format "$tmp/"$'latin\xe4.pool' --size 1M --json >/dev/null
ctl info "$tmp/"$'latin\xe4.pool' --json >"$tmp/json"
"$python" -c 'import json, sys; assert json.load(open(sys.argv[1], encoding="utf-8"))["regions"][0]["path"].endswith("latin\ufffd.pool")' "$tmp/json" ||
	fail "not JSON: $(cat -v "$tmp/json")"

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

# Progress in lines; a scrub at a given rate takes its time.
head -c 2M /dev/urandom >"$tmp/data"
ctl import "$pool" busy "$tmp/data" >/dev/null
ctl scrub "$pool" --rate 1500K --progress=plain >/dev/null 2>"$tmp/progress"
grep -qE '^scrub: [0-9]+%, .* of .*, .*/s, .* left$' "$tmp/progress" || fail "no progress: $(cat "$tmp/progress")"
if ctl scrub "$pool" 2>&1 >/dev/null | grep .; then
	fail "progress without a terminal"
fi
if command -v script >/dev/null; then
	for columns in 120 60 30; do
		script -qec "stty cols $columns; LD_LIBRARY_PATH='$top_builddir/.libs' '$prmemctl' scrub '$pool' --rate 6M" \
			"$tmp/typescript" >/dev/null </dev/null
		[ $columns = 30 ] || grep -qE 'scrub: \[#* *\] [0-9]+%' "$tmp/typescript" ||
			fail "no bar on a terminal: $(cat "$tmp/typescript")"
		grep '^scrub: ' "$tmp/typescript" | sed 's/\x1b\[K//g' | tr '\r' '\n' | awk -v n=$columns '/^scrub/ && length($0) >= n { exit 1 }' ||
			fail "a bar that is wider than $columns: $(cat -v "$tmp/typescript")"
	done
fi

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
is "$(complete_line help sc)" "scrub " "verbs behind help"
is "$(complete_line import main x --si)" "--size " "options of import"
is "$(complete_line import main x - --size 3)" "3K 3M 3G 3T " "the size of what is imported"
is "$(complete_line debug s)" "slot " "what debug looks at"
is "$(complete_line debug slot "$tmp/p.p")" "$pool " "files behind two words"
is "$(complete_line debug slot "$pool" bu)" "busy " "disks behind two words"
# Names are not run: a disk may be called as the shell calls a command.
# shellcheck disable=SC2016
ctl create main '$(touch${IFS}pwned)' 1M >/dev/null
# shellcheck disable=SC2016
is "$(cd "$tmp" && complete_line remove main '$')" '$(touch${IFS}pwned) ' "a disk with a name like a command"
[ ! -e "$tmp/pwned" ] || fail "completion has run the name of a disk"
# shellcheck disable=SC2016
ctl remove main '$(touch${IFS}pwned)' >/dev/null
is "$(complete_line info "$pool" --region "$tmp/p.p")" "$pool " "files behind an option"

wait $taker
is "$(sed -E 's/by (process [0-9]+ .*|another process):/by SOMEBODY:/' "$tmp/taken")" "prmemctl: pool $tmp/taken.pool: in use by SOMEBODY: stop it first
status 1" "what is said of a pool that somebody has"

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
	two_pages "$tmp/data"
	ctl format "$tmp/bad.pool" --size 1M >/dev/null
	ctl import "$tmp/bad.pool" bad "$tmp/two" >/dev/null
	damage_index "$tmp/bad.pool" bad
	# An image is not typed.
	script -qec "LD_LIBRARY_PATH='$top_builddir/.libs' '$prmemctl' import '$pool' typed -" "$tmp/typescript" </dev/null >/dev/null || true
	grep -q 'a disk does not come from a terminal' "$tmp/typescript" || fail "a terminal is read: $(cat "$tmp/typescript")"
	script -qec "LD_LIBRARY_PATH='$top_builddir/.libs' '$prmemctl' export '$pool' busy -" "$tmp/typescript" </dev/null >/dev/null || true
	grep -q 'a disk is not for a terminal' "$tmp/typescript" || fail "a terminal is written"
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

# A file that is searched before it is formatted: how far, and that it is blank.
dd if=/dev/zero of="$tmp/blank" bs=1M count=16 status=none
ctl format "$tmp/blank" --progress=plain 2>"$tmp/progress" >/dev/null
grep -qE '^format: 100%, 16 MiB of 16 MiB, ' "$tmp/progress" || fail "no progress of a format: $(cat "$tmp/progress")"
for verb in scrub check; do
	ctl $verb "$pool" --progress=plain 2>&1 >/dev/null | grep -qE "^$verb: [0-9]+%" || fail "no progress of $verb"
done
ctl export "$pool" busy "$tmp/busy" --progress=plain 2>&1 >/dev/null | grep -qE '^export: 100%' || fail "no progress of an export"
ctl import "$pool" again "$tmp/busy" --progress=plain 2>&1 >/dev/null | grep -qE '^import: 100%' || fail "no progress of an import"
# A pipe has no size before its end: how far, but not how much is left, unless that is
# said, or the disk that it replaces has one.  It begins late, for the bar to be drawn.
slowly() { # PATTERN ARGUMENT... - what the bar says in the middle
	(sleep 0.2 && cat "$tmp/busy") |
		ctl import "$pool" "${@:2}" --progress=bar 2>&1 >/dev/null | tr '\r' '\n' >"$tmp/bar"
	grep -qE "$1" "$tmp/bar" || fail "import ${*:2}: the bar does not say $1: $(cat -v "$tmp/bar")"
}
half='^import: \[#+ +\] [45][0-9]%, .* of 2 MiB, .* left'
slowly '^import: 1 MiB, .*/s' piped -
slowly "$half" sized - --size 2M
slowly "$half" piped - --force
ctl resize "$pool" piped 512K --force >/dev/null
slowly '^import: 1 MiB, .*/s' piped - --force
ctl remove "$pool" piped >/dev/null
ctl remove "$pool" sized >/dev/null
ctl remove "$pool" again --wipe --progress=plain 2>&1 >/dev/null | grep -qE '^remove: [0-9]+%' || fail "no progress of a wipe"
