#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 200
# What comes from a guest's ports is anything: frames of random bytes, wrong lengths, an
# exit that is forged, floods. vmrun holds little of it, says in a line what went wrong,
# and ends; by 0 never.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/hostile.sh"

MEMORY_MAX=40000 # kB; it is 13000 without any of this

# Of 1 KiB blocks: no flood fills the disk of who runs this.
ulimit -f 1000000
use_forger

# play TRICK [OPTION...]: leaves what run leaves. Nothing of its input is worth reading.
play() {
	trick=$1
	shift
	measured "$VMRUN" --accel=tcg --no-template --name="$trick" "$@" "$BASE" -- true </dev/zero
	[[ $status -ne 0 ]] || fail "$trick: vmrun says that all is well"
	[[ $peak -lt $MEMORY_MAX ]] || fail "$trick: $peak kB of memory"
	expect_no_control "$WORK/err"
}

# One line on stderr, which says so.
expect_said() { # STATUS WORDS...
	[[ $status -eq $1 ]] || fail "$trick: exit status $status instead of $1"
	[[ $(wc -l <"$WORK/err") -eq 1 ]] || fail "$trick: stderr is not one line"
	shift
	expect_err "$@"
}

play well
expect_exit 42
expect_out "it runs"
expect_silent

# --- the agent's port ---

say "random bytes"
for ((seed = 1; seed <= 40; seed++)); do
	for kind in random random-started frames; do
		play "$kind-$seed"
		expect_exit 125
		# A frame may be a warning, or a failure with a text of the guest's.
		[[ $kind == frames ]] || expect_said 125 "vmrun: the guest's agent "
	done
done

say "a good conversation with bits changed"
for ((seed = 1; seed <= 40; seed++)); do
	play "bits-$seed"
	# Its own exit code, another one, or none; and never hanging.
	[[ $took -lt 20000 ]] || fail "$trick: it took $took ms"
	[[ $status -ne 125 || $(wc -l <"$WORK/err") -eq 1 ]] || fail "$trick"
done

say "forged ends"
play exit-at-once
expect_said 125 "spoke before its greeting"
play exit-unstarted
expect_said 125 "malformed exit"
play exit-cut-short
expect_said 125 "ended before its command's exit was known"
play only-death
expect_said 125 "ended before its command's exit was known"
play not-started
expect_said 125 "ended before its command's exit was known"
play exit-then-death
expect_exit 42
expect_silent

say "lost and closed"
for how in agent-closed agent-half-closed all-closed; do
	play "$how"
	[[ $took -lt 15000 ]] || fail "$trick: it took $took ms"
	[[ $status -eq 125 ]] || fail "$trick: exit status $status"
	expect_err "agent was lost while the guest ran on"
done
for ((seed = 1; seed <= 12; seed++)); do
	play "killed-$seed"
	expect_said 125 "QEMU was killed by signal"
done

say "floods on the agent's port"
# To one who does not read: more than that may wait is too much.
mkfifo "$WORK/unread"
exec 5<>"$WORK/unread"
measured bash -c '"$@" >"$0"' "$WORK/unread" "$VMRUN" --accel=tcg --no-template --name=no-credit "$BASE" -- true
exec 5>&-
trick=no-credit
expect_said 125 "broke the protocol"
[[ $peak -lt $MEMORY_MAX ]] || fail "$trick: $peak kB of memory"
play credit-for-ever
expect_said 125 "broke the protocol"
play empty-frames
expect_exit 42
expect_silent
play warnings
expect_exit 42
lines=$(wc -l <"$WORK/err")
[[ $lines -gt 0 && $lines -le 64 ]] || fail "$lines of 100000 warnings are shown"
play failure
expect_said 125 "failed?vmrun: all is well"

say "silence, and what is as good"
for how in silent deaf warnings-for-ever console-for-ever; do
	play "$how" --timeout=1s
	[[ $status -eq 124 ]] || fail "$trick: exit status $status"
	[[ $took -lt 10000 ]] || fail "$trick: it took $took ms"
	expect_err "did not end within 1 s"
done

# --- the console and QEMU's own words ---

say "floods of 100 MB elsewhere"
for how in console-flood words-flood; do
	play "$how"
	expect_exit 42
	expect_silent
done
play console-line
expect_exit 125
[[ $(wc -c <"$WORK/err") -lt 4000 ]] || fail "a line of $(wc -c <"$WORK/err") bytes is shown"
play console-evil
expect_exit 125
expect_err "kernel panicked" evil
play words-evil
expect_said 125 "QEMU failed (exit status 3)" words

# On a terminal nothing of it is obeyed: a newline there is "\r\n".
run "$here/terminal.py" '' "$VMRUN" --accel=tcg --no-template --name=console-evil --verbose \
	"$BASE" -- true
expect_exit 125
expect_no_control "$WORK/out"
grep -q evil "$WORK/out" || fail "the console is not shown"
run "$here/terminal.py" '' "$VMRUN" --accel=tcg --no-template --name=console-evil --verbose=raw \
	"$BASE" -- true
expect_exit 125
grep -q $'\e\[2J' "$WORK/out" || fail "the console is not as it came"

# --- the monitor: of a template's maker, and of a guest that wakes up ---

XDG_CACHE_HOME=$(mktemp -d "$WORK/cache.XXXXXX")
export XDG_CACHE_HOME
monitored() { # OPTION...
	measured "$VMRUN" --accel=tcg --timeout=60s "$@" "$BASE" -- true
	trick="$*"
	expect_exit 42
	expect_out "it runs"
	[[ $peak -lt $((MEMORY_MAX + 60000)) ]] || fail "$trick: $peak kB of memory"
	expect_no_control "$WORK/err"
}
say "a monitor that talks nonsense while a template is made"
for how in random-1 random-2 random-3 line deep refuses; do
	monitored --append="trick=monitor-$how"
	expect_eq "lines of warning" "$(wc -l <"$WORK/err")" 1
	expect_err "no template was made"
done
monitored --append=trick=monitor-closed
run "$VMRUN" --accel=tcg --timeout=1s --append=trick=monitor-events "$BASE" -- true
expect_exit 124
[[ -z $(find "$XDG_CACHE_HOME" -name '*.template') ]] || fail "there is a template all the same"

say "and while a guest wakes up"
monitored --name=well
expect_silent
for how in random-1 random-2 line deep refuses closed; do
	monitored --name="restored-$how"
	expect_err "did not wake up from its template"
	# That one is no good; another, for the next.
	monitored --name=well
	expect_silent
done

unset VMRUN_QEMU
guest -- sh -c 'exit 7'
expect_exit 7
