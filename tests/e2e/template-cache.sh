#!/bin/bash
# SPDX-License-Identifier: MIT
# The cache of templates keeps to its budget and its age, never loses one in use, and is shown
# and changed by vmrun template.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

t() { # VERB...
	run "$VMRUN" template "$@"
}

create() { # MEMORY: prints the key
	"$VMRUN" template create --accel=tcg --read-only -m "$1" "$BASE"
}

entry() { # KEY EXPRESSION: of the template's object in --json
	"$VMRUN" template ls --json | python3 -c '
import json, sys
for t in json.load(sys.stdin):
    if t["key"] == sys.argv[1]:
        print(eval(sys.argv[2], t))' "$@"
}

own_cache
t ls
expect_exit 0
expect_silent
t ls --json
expect_exit 0
expect_eq "no templates" "$(python3 -m json.tool --compact <"$WORK/out")" "[]"
t prune
expect_exit 0

for wrong in "" nonsense "ls extra" "ls --nonsense" rm "rm --all 1234" "rm 12" "rm 0123456789ab" \
	"prune 1234" create "create $WORK/nothing" "create --no-template $BASE" "create $BASE -- true"; do
	# shellcheck disable=SC2086 # words
	t $wrong
	expect_refused ""
done

run "$VMRUN" template create --accel=tcg --read-only -m 96m "$BASE"
expect_exit 0
expect_silent
a=$(<"$WORK/out")
[[ $a =~ ^[0-9a-f]{64}$ ]] || fail "no key"
b=$(create 100m)
c=$(create 104m)
expect_eq "key of what is there" "$(create 96m)" "$a"

kernel=$(basename "$BASE"/boot/vmlinuz-*)
expect_eq "what is told of a template" \
	"$(entry "$a" '(bad, in_use, memory_bytes, cpus, accel, kernel_version)')" \
	"(False, False, $((96 << 20)), 1, 'tcg', '${kernel#vmlinuz-}')"
expect_eq "disk of a template" "$(entry "$a" disk_bytes)" \
	$(($(stat -c %b "$templates/$a.template") * 512))
expect_eq "time of creation" "$(entry "$a" 'created[:10]')" "$(date -u -r "$templates/$a.template" +%F)"
t ls
expect_exit 0
for words in "${a:0:12}" "${b:0:12}" "${c:0:12}" "${kernel#vmlinuz-}" 96M; do
	grep -q "$words" "$WORK/out" || fail "not in the table: $words"
done

# used KEY AGE: as if it had been used that long ago.
used() {
	touch -d "$2 ago" "$templates/$1.template"
}

left() {
	local key names=
	for key in "$@"; do names+=" $templates/$key.template"; done
	expect_eq "templates that are left" "$(list_templates)" \
		"$(echo "$names" | tr ' ' '\n' | sed '/^$/d' | sort | tr '\n' ' ' | sed 's/ $//')"
}

# The one that was not used for the longest time goes first; a run is a use.
used "$a" "3 days"
used "$b" "2 days"
used "$c" "1 day"
guest -m 96m --read-only -- true
expect_exit 0
t ls
expect_eq "the order of use" "$(awk 'NR > 1 { print $1 }' "$WORK/out")" \
	"${a:0:12}"$'\n'"${c:0:12}"$'\n'"${b:0:12}"
disk=$(($(entry "$a" disk_bytes) + $(entry "$c" disk_bytes)))
VMRUN_TEMPLATE_BUDGET=$((disk / 1024 + 1000))k t prune
expect_exit 0
left "$a" "$c"

# What a run makes has to have room, too.
VMRUN_TEMPLATE_BUDGET=$((disk / 1024 + 1000))k guest -m 108m --read-only --timing=json -- true
expect_exit 0
expect_restored
d=$(create 108m)
left "$a" "$d"

# One in use stays, whatever.
mkfifo "$WORK/in"
"$VMRUN" --accel=tcg -m 108m --read-only "$BASE" -- sh -c 'echo up; cat' \
	<"$WORK/in" >"$WORK/guest.out" 2>"$WORK/guest.err" 9>&- &
pid=$!
exec 9>"$WORK/in"
wait_for 60 grep -q up "$WORK/guest.out"
used "$d" "5 days"
expect_eq "in use" "$(entry "$d" in_use)" True
expect_eq "in use" "$(entry "$a" in_use)" False
t rm "$d"
expect_refused "in use"
VMRUN_TEMPLATE_BUDGET=1m t prune
expect_exit 0
left "$d"
VMRUN_TEMPLATE_MAX_AGE=1ms t prune
t prune --all
expect_exit 0
left "$d"
exec 9>&-
status=0
wait "$pid" || status=$?
expect_exit 0
[[ ! -s $WORK/guest.err ]] || fail "the guest whose template was to go said: $(<"$WORK/guest.err")"

# An old one is made anew.
inode=$(stat -c %i "$templates/$d.template")
VMRUN_TEMPLATE_MAX_AGE=1h guest -m 108m --read-only -- true
expect_exit 0
expect_eq "inode of one that is young enough" "$(stat -c %i "$templates/$d.template")" "$inode"
exec 8<"$templates/$d.template" # so that its inode is not used again
sleep 2.1
VMRUN_TEMPLATE_MAX_AGE=1s guest -m 108m --read-only --timing=json -- true
exec 8<&-
expect_exit 0
expect_restored
expect_silent
[[ $(stat -c %i "$templates/$d.template") != "$inode" ]] || fail "one that is too old was used"

# Bad ones are shown, and go first.
chmod u+w "$templates/$d.template"
truncate -s 1000 "$templates/$d.template"
t ls
grep -q "${d:0:12}.*(bad)" "$WORK/out" || fail "not shown as bad"
expect_eq "bad" "$(entry "$d" 'bad, kernel_version')" "(True, None)"
cp "$templates/$d.template" "$templates/${d:0:60}0000.template"
t rm "${d:0:12}"
expect_refused "${d:0:12}"
t prune
expect_exit 0
left

e=$(create 96m)
t rm "${e:0:4}"
expect_exit 0
expect_silent
left
t rm "${e:0:4}"
expect_refused "${e:0:4}"
expect_eq "files left" "$(find "$templates" -type f ! -name lock)" ""

# A directory of that name is reached by a path.
cd "$WORK"
mkdir template
run vmrun ./template -- true
expect_refused template
