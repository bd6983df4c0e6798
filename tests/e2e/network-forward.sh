#!/bin/bash
# SPDX-License-Identifier: MIT
# -p: a port of the host reaches a server in the guest.
. "$(dirname "$0")/../lib/e2e.sh"

port=$((20000 + RANDOM % 20000))
"$VMRUN" --accel=tcg -p "$port:80" "$BASE" -- perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die "listen: $!";
	$| = 1;
	print "listening\n";
	my $c = $s->accept;
	my $line = <$c>;
	print $c "you said $line";
	close $c;' >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q listening "$WORK/out"
exec 3<>"/dev/tcp/127.0.0.1/$port"
echo hello >&3
IFS= read -r -t 30 answer <&3
exec 3>&-
status=0
wait "$pid" || status=$?
expect_exit 0
expect_eq answer "$answer" "you said hello"

# A port that is in use is refused before anything starts.
perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift,
		Listen => 1, ReuseAddr => 1) or die;
	$| = 1; print "held\n"; sleep 60' "$port" >"$WORK/holder" &
holder=$!
wait_for 10 grep -q held "$WORK/holder"
guest -p "$port:80" -- true
expect_refused "$port"
kill "$holder"
