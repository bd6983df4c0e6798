#!/bin/bash
# SPDX-License-Identifier: MIT
# --network none: nothing but loopback, and nobody answers.
. "$(dirname "$0")/../lib/e2e.sh"

port=$((20000 + RANDOM % 20000))
perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 5) or die;
	$| = 1; print "listening\n"; sleep 100' "$port" >"$WORK/server" &
server=$!
wait_for 10 grep -q listening "$WORK/server"
guest --network none -- bash -c '
	: >/dev/tcp/10.0.2.2/'"$port"' && echo reached the host
	(: >/dev/tcp/127.0.0.1/1) 2>&1 | grep -m 1 -o "Connection refused"
	grep -c . /etc/resolv.conf'
expect_out $'Connection refused\n0'
kill "$server"

guest --network none -p 8080:80 -- true
expect_refused network
