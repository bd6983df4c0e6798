#!/bin/bash
# SPDX-License-Identifier: MIT
# The first run makes a template and goes on from it, later ones wake up from it, and
# none behaves otherwise than a guest that boots; who asks for none leaves none.
# shellcheck disable=SC2016 # the guest's shell expands
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

terminal() { # SCRIPT COMMAND...
	run "$(dirname "$0")/../lib/terminal.py" "$@"
	tr -d '\r' <"$WORK/out" >"$WORK/printed"
	mv "$WORK/printed" "$WORK/out"
}

own_cache
for how in --no-template --verbose --dry-run; do
	guest "$how" -- true
	expect_exit 0
	expect_no_template
done
export VMRUN_TEMPLATE_BUDGET=0
guest -- true
expect_exit 0
expect_silent
expect_no_template
unset VMRUN_TEMPLATE_BUDGET

# The first run says so to a person, once.
terminal '' "$VMRUN" --accel=tcg --timing=json "$BASE" -- sh -c 'exit 7'
expect_exit 7
grep -q '^vmrun: booting Linux .* once, to make a template' "$WORK/out" || fail "nothing was said"
grep -q '"restored":true' "$WORK/out" || fail "the first run booted twice"
template=$(list_templates)
[[ -f $template ]] || fail "not one template: '$template'"
terminal '' "$VMRUN" --accel=tcg "$BASE" -- sh -c 'exit 7'
expect_exit 7
expect_out ""

# One serves every base with the same kernel.
made=$(stat -c %i "$template")
run vmrun --timing=json "$BASE_CALLER" -- true
expect_exit 0
expect_restored
expect_silent
expect_eq templates "$(list_templates)" "$template"

# same [OPTION...] -- COMMAND...: it does the same in a guest that boots and in one that
# wakes up; its stdin is $WORK/in.
same() {
	guest --no-template --timing=json "$@" <"$WORK/in"
	expect_booted
	local booted=$status
	mv "$WORK/out" "$WORK/out.booted"
	mv "$WORK/err" "$WORK/err.booted"
	guest --timing=json "$@" <"$WORK/in"
	expect_restored
	expect_exit "$booted"
	diff "$WORK/out.booted" "$WORK/out" || fail "another stdout than after a boot"
	diff "$WORK/err.booted" "$WORK/err" || fail "another stderr than after a boot"
}

seq 100000 >"$WORK/in"
mkdir "$WORK/volume"
echo of the host >"$WORK/volume/file"
chmod 777 "$WORK/volume"

same --network=none -u 33:33 -w /usr -e 'A=x y' --hostname=other -v "$WORK/volume:/mnt" \
	-v "$WORK/volume:/ro:ro" -v "$WORK/volume/file:/srv/file" -- sh -c '
	sha256sum; id; pwd; env | sort; hostname; cat /mnt/file /srv/file
	echo new >>/mnt/made; cat /ro/made | sort -u; touch /ro/no
	cat /proc/net/route /proc/mounts /proc/cmdline; nproc; ulimit -a; umask; cat /proc/self/cgroup
	ls /dev /sys/class/net /proc/self/fd; echo to stderr >&2; kill -9 $$'
expect_exit $((128 + 9))
grep -q "uid=33(www-data)" "$WORK/out" || fail "the command did not run"
expect_err "to stderr" "Read-only file system"

# Out of the guest's memory, what is in the base is seen as it is now.
echo changed >"$WORK/volume/file"
for mode in --read-only --ephemeral; do
	same "$mode" -v "$WORK/volume:/mnt:ro" -- sh -c '
		cat /mnt/file; echo x >/srv/new && cat /srv/new; rm -f /srv/new; sync; exit 3'
	expect_exit 3
done

# With a terminal and a network; the port is another one for each run.
server='
	my $s = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die;
	$| = 1;
	print "listening\n";
	my $c = $s->accept;
	my $line = <$c>;
	print $c "you said $line";
	close $c;'
for how in --no-template --template; do
	port=$((20000 + RANDOM % 20000))
	[[ $how == --no-template ]] || how=
	# shellcheck disable=SC2086 # no word if empty
	"$VMRUN" --accel=tcg $how -p "$port:80" "$BASE" -- perl -MIO::Socket::INET -e "$server" \
		>"$WORK/out" 2>"$WORK/err" &
	pid=$!
	wait_for 60 grep -q listening "$WORK/out"
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	echo hello >&3
	IFS= read -r -t 30 answer <&3 || true
	exec 3>&-
	status=0
	wait "$pid" || status=$?
	expect_exit 0
	expect_eq "answer over the network" "$answer" "you said hello"
	# shellcheck disable=SC2086
	terminal '
		size 33 99
		expect ready
		send \x03
		expect interrupted 33 99
		send word\n
		expect got word
	' "$VMRUN" --accel=tcg $how "$BASE" -- bash -c '
		stty -echo # what is echoed when is chance
		trap "echo interrupted \$(stty size)" INT
		sh -c "echo ready; exec sleep 100"
		read -r line; echo "got $line"; tty; exit 6'
	expect_exit 6
	mv "$WORK/out" "$WORK/terminal$how"
done
diff "$WORK/terminal--no-template" "$WORK/terminal" || fail "the terminal is another one"
expect_eq templates "$(list_templates)" "$template"
expect_eq "inode of the template" "$(stat -c %i "$template")" "$made"
