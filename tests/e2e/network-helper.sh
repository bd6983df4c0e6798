#!/bin/bash
# SPDX-License-Identifier: MIT
# The network's own process: only where it is needed, gone with its guest; and a guest
# outlives it.
. "$(dirname "$0")/../lib/e2e.sh"

find_helper() { # PID: of vmrun
	local pid
	for pid in $(descendants "$1"); do
		if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == vmrun-network ]]; then
			echo "$pid"
			return
		fi
	done
	return 1
}

base=$BASE
start() { # COMMAND [OPTION...]: in the background, until it says "up"
	local command=$1
	shift
	rm -f "$WORK/go"
	mkfifo "$WORK/go"
	"$VMRUN" --accel=tcg "$@" "$base" -- bash -c "$command" <"$WORK/go" \
		>"$WORK/out" 2>"$WORK/err" &
	pid=$!
	exec 5>"$WORK/go"
	wait_for 60 grep -q up "$WORK/out"
}

finish() {
	status=0
	exec 5>&-
	wait "$pid" || status=$?
}

# A guest that sends nothing has none, though its kernel announces itself.
start 'echo up; read -r; echo done'
sleep 3
! find_helper "$pid" || fail "a helper nobody needs"
echo >&5
finish
expect_out $'up\ndone'

# One that looks a name up has, and so has one with a port, from the beginning.
start 'echo x >/dev/udp/10.0.2.3/53; echo up; read -r'
wait_for 5 find_helper "$pid" >"$WORK/helper"
echo >&5
finish
expect_exit 0

# It dies, the guest does not, and the user is told, once.
port=$(free_port)
start 'echo up; read -r; echo done' -p "$port:80"
helper=$(find_helper "$pid") || fail "no helper"
kill -9 "$helper"
wait_for 10 grep -q "network is gone" "$WORK/err"
echo >&5
finish
expect_exit 0
expect_out $'up\ndone'
expect_eq warnings "$(grep -c "the guest's network is gone: its process was killed by signal 9" \
	"$WORK/err")" 1

# vmrun dies, however: nothing stays.
for signal in KILL TERM; do
	start 'echo x >/dev/udp/10.0.2.3/53; echo up; read -r' -p "$port:80"
	mapfile -t below < <(descendants "$pid")
	kill -"$signal" "$pid"
	finish
	expect_gone "${below[@]}"
done

# QEMU dies: the guest is said to have, not its network. (Here it runs as the caller.)
base=$BASE_CALLER
start 'echo up; read -r' -p "$port:80"
mapfile -t below < <(descendants "$pid")
kill -9 "$(find_qemu "$pid")"
finish
expect_exit 125
! grep -q "network is gone" "$WORK/err" || fail "the network is blamed"
expect_gone "${below[@]}"

# A port that cannot be had after all is an error of one line, and no guest is left.
for udp in "" /udp; do
	rm -f "$WORK/holder"
	perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0],
			Proto => $ARGV[1] ? "udp" : "tcp", $ARGV[1] ? () : (Listen => 1)) or die;
		$| = 1; print "held\n"; sleep 60' "$port" "$udp" >"$WORK/holder" &
	holder=$!
	wait_for 10 grep -q held "$WORK/holder"
	guest -p "$port:80$udp" -- true
	expect_refused "$port" "in use"
	kill "$holder"
	wait "$holder" || true
done
