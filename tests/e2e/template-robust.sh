#!/bin/bash
# SPDX-License-Identifier: MIT
# A template that is no good costs a warning and a boot, never a run; another is made.
# slow
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

# A guest of which nothing is heard when it should wake up. That takes a minute: it is
# waited for at the end.
shared=$XDG_CACHE_HOME
own_cache
fake_qemu "$qemu_prefix" <<-'EOF'
	#include <poll.h>
	#include <string.h>

	__attribute__((constructor)) static void be_silent(int argc, char *argv[])
	{
		for (int i = 1; i < argc; i++)
			if (!strcmp(argv[i], "-incoming"))
				poll(NULL, 0, -1);
	}
EOF
silent_template=$templates/$("$VMRUN" template create --accel=tcg --read-only "$BASE").template
"$VMRUN" --accel=tcg --read-only --timing=json "$BASE" -- sh -c 'echo it runs; exit 8' \
	>"$WORK/silent.out" 2>"$WORK/silent.err" &
silent=$!
unset VMRUN_QEMU
export XDG_CACHE_HOME=$shared

own_template
cp --sparse=always "$template" "$WORK/good"
size=$(stat -c %s "$WORK/good")
memory=$((512 << 20))

# damaged WHY COMMAND...: the template is as COMMAND made it of a good one.
damaged() {
	local why=$1
	shift
	rm -rf "$template"
	cp --sparse=always "$WORK/good" "$template"
	chmod u+w "$template"
	"$@"
	run vmrun --read-only --timing=json "$BASE" -- sh -c 'echo it runs; exit 9'
	expect_exit 9
	expect_out "it runs"
	grep -q '"restored":' "$WORK/err" || fail "no timing"
	sed -i '/^{"restored":/d' "$WORK/err"
	expect_eq "lines of warning after $*" "$(wc -l <"$WORK/err")" 1
	expect_err template "$why"
}

# Found when it is looked up, so that this run makes a new one already.
expect_remade() {
	expect_eq "what is in its place" "$(stat -c %F:%a "$template")" "regular file:444"
	"$VMRUN" template ls --json | grep -q '"bad": *false' || fail "it was not made anew"
}

flip() { # OFFSET: a bit of one byte
	python3 - "$template" "$1" <<-'PY'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2]))
		    byte = f.read(1)[0]
		    f.seek(int(sys.argv[2]))
		    f.write(bytes([byte ^ 4]))
	PY
}

# What is not its bytes.
other_kind() { # COMMAND...: makes a file of another kind
	rm "$template"
	"$@" "$template"
}

damaged "does not end as" truncate -s $((size - 1)) "$template"
expect_remade
damaged "does not end as" truncate -s $((size / 2)) "$template"
damaged "0 bytes" truncate -s 0 "$template"
damaged "state" flip $((memory + 100000))
damaged "trailer was changed" flip $((size - 3000))
damaged "does not end as" flip $((size - 4096))
damaged "not a regular file" other_kind ln -s "$WORK/good"
expect_remade
damaged "not a regular file" other_kind mkfifo
damaged "not a regular file" other_kind mkdir
expect_remade

# Found only when nothing comes of it: this run boots, the next one makes another. Which of
# the two it is, QEMU that refuses it or a guest that dies, is the damage's choice.
zeros() { # MIB-FROM MIB
	python3 - "$template" "$@" <<-'PY'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2]) << 20)
		    f.write(bytes(int(sys.argv[3]) << 20))
	PY
}
damaged "did not wake up" zeros 0 96
[[ ! -e $template ]] || fail "a template that leads to no guest was not removed"
damaged "did not wake up" zeros 64 448
run vmrun --read-only --timing=json "$BASE" -- true
expect_exit 0
expect_restored
expect_silent

status=0
wait "$silent" || status=$?
mv "$WORK/silent.out" "$WORK/out"
mv "$WORK/silent.err" "$WORK/err"
expect_exit 8
expect_out "it runs"
expect_booted
expect_err "did not wake up" "no sign of life"
[[ ! -e $silent_template ]] || fail "a template that leads to no sign of life was not removed"
