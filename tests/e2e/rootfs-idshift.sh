#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 300
# vmrun rootfs idshift: every owner by another id map, with all that hangs on owners, and
# nothing else changed; killed at any moment and finished by a second run.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(dirname "$0")/../lib

idshift() {
	"$VMRUN" rootfs idshift "$@"
}

in_subid() { # COMMAND...: as the root of that layout; as_guest_owner is that of the other
	as_subid_owner "$@"
}

listing() { # LAYOUT DIR: as its guest sees it
	local enter=in_subid
	[[ $1 == subid ]] || enter=as_guest_owner
	$enter python3 "$lib/tree-listing.py" "$2"
}

expect_listing() { # LAYOUT DIR FILE
	listing "$1" "$2" >"$WORK/now"
	diff "$3" "$WORK/now" >"$WORK/diff" || fail "the tree differs: $(head -c 3000 "$WORK/diff")"
	[[ $(wc -l <"$WORK/now") -gt 5 ]] || fail "nothing is listed"
}

nothing_left() { # DIR
	[[ -z $(find "$WORK" -maxdepth 1 -name '.*idshift*') ]] || fail "a plan is left"
	[[ ! -L $1/.vmrun-idshift ]] || fail "the mark is left"
}

fresh() { # DIR: an empty tree of the subid layout
	as_guest_owner rm -rf "$1"
	mkdir -p "$1"
	as_guest_owner chown 1:1 "$1"
	in_subid mkdir "$1/bin" "$1/etc"
}
chmod 755 "$WORK"

# --- all that has owners ---

zoo=$WORK/zoo
fresh "$zoo"
in_subid bash -euc "cd '$zoo'"'
	echo p >plain; mkdir d; ln plain d/second; ln -s plain link; ln link d/link-too; chown -h 33:44 link
	mkfifo fifo; chown 5:6 fifo; ln fifo d/fifo-too
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")"; chown 1:2 socket
	echo s >setuid; chown 7:8 setuid; chmod 6755 setuid; ln setuid d/setuid-too
	echo s >setuid-root; chmod 4711 setuid-root; echo g >setgid; chown 0:42 setgid; chmod 2711 setgid
	mkdir sticky setgid-dir closed; chmod 1777 sticky; chown 5:6 setgid-dir; chmod 2775 setgid-dir
	echo c >closed/file; chown 9:9 closed; chmod 0 closed/file closed
	echo n >nobody; chown 65534:65534 nobody; echo h >high; chown 65535:65535 high
	echo a >acl; setfacl -m u:33:rw,g:44:r,u:65535:x,u:0:r,m::rw acl
	mkdir acl-dir; setfacl -d -m u:77:rwx,g:1:r acl-dir; setfacl -m u:12:x acl-dir; chmod g+s acl-dir
	mkfifo acl-fifo; setfacl -m u:3:r acl-fifo
	echo c >cap; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 cap
	echo c >cap-setuid; chown 3:4 cap-setuid; chmod 6755 cap-setuid
	setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 cap-setuid
	setfattr -n user.one -v 1 plain; echo r >read-only; chmod 0400 read-only
	touch -d "1999-01-02 03:04:05.123456789" plain d closed; touch -h -d "2001-01-01 1:1:1.000000001" link
	touch -d "2003-03-03 03:03:03.333333333" .
'
listing subid "$zoo" >"$WORK/before"
for word in security.capability posix_acl_default posix_acl_access 33:44 106755; do
	grep -q "$word" "$WORK/before" || fail "the zoo has no $word"
done
for layout in caller subid caller subid; do
	run idshift "--to=$layout" "$zoo"
	expect_exit 0
	expect_silent
	expect_out "files: 23, with another owner: 23, ACLs: 4, capabilities: 2"
	expect_listing "$layout" "$zoo" "$WORK/before"
	nothing_left "$zoo"
done
expect_eq "the root's" "$(stat -c %u "$zoo")" "$(host_id 0)"
run idshift --to=subid "$zoo"
expect_exit 0
expect_out "it has that id map already"

# Ids of the caller's own choice, a little further on; only some guest ids have a place.
run idshift --to="0:$(host_id 1000):2000" "$zoo"
expect_exit 1
expect_err "'/nobody': owner 65534:65534 not kept" "'/acl': 1 ACL entries not kept"
expect_eq "one that was moved" "$(stat -c %u:%g:%a "$zoo/setuid")" "$(host_id 1007):$(host_id 1008):6755"
expect_eq "one that had no place" "$(stat -c %u:%g "$zoo/high")" "$(host_id 1000):$(host_id 1000)"
run idshift --idmap="0:$(host_id 1000):2000" --to=single "$zoo"
expect_exit 1
expect_err "owner 7:8 not kept: the new map has no such id" "ACL entries not kept"
expect_eq "setuid for nobody" "$(stat -c %u:%g:%a "$zoo/setuid")" "$(id -u):$(id -g):755"
expect_eq "setuid for root" "$(stat -c %u:%g:%a "$zoo/setuid-root")" "$(id -u):$(id -g):4711"
[[ -z $(as_guest_owner find "$zoo" -not -uid 0 -o -not -gid 0) ]] || fail "somebody else's are left"
nothing_left "$zoo"

# --- a distribution ---

copy_base "$WORK/base"
listing subid "$WORK/base" >"$WORK/before"
for layout in caller subid; do
	run idshift "--to=$layout" "$WORK/base"
	expect_exit 0
	expect_silent
	expect_listing "$layout" "$WORK/base" "$WORK/before"
	run vmrun --ephemeral "$WORK/base" -- stat -c %u:%g:%a / /etc/shadow
	expect_exit 0
	expect_out $'0:0:755\n0:42:640'
done

# A guest uses it.
"$VMRUN" --accel=tcg "$WORK/base" -- sh -c 'echo up; sleep 60' >"$WORK/guest" &
guest_pid=$!
wait_for 120 grep -q up "$WORK/guest"
run idshift --to=caller "$WORK/base"
expect_refused "is in use by a guest"
nothing_left "$WORK/base"
kill "$guest_pid"
wait "$guest_pid" || true

# --- killed, and finished ---

gcc -std=gnu11 -O2 -D_GNU_SOURCE -o "$WORK/kill-at" "$lib/kill-at.c"
small=$WORK/small
fresh_small() {
	fresh "$small"
	in_subid bash -euc "cd '$small'"'
		echo 1 >a; chown 1:2 a; chmod 6755 a; echo 2 >b; chown 2:3 b; ln a z; chown -h 5:5 bin
		setfacl -m u:1:r,u:2:w b; echo 3 >c
		setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 c'
}
fresh_small
listing subid "$small" | sed 's/ m[0-9]*\b//' >"$WORK/before"
layout=subid
halves=0
for ((n = ${KILL_FIRST:-1}; ; n += ${KILL_STEP:-7})); do
	[[ $layout == subid ]] && to=caller || to=subid
	run "$WORK/kill-at" first first "$n" "$VMRUN" rootfs idshift "--to=$to" "$small"
	[[ $(<"$WORK/out") != *none* ]] || break
	# As it ends, all was done, and said.
	[[ $status -eq 0 ]] || expect_exit 125
	if [[ -L $small/.vmrun-idshift ]]; then
		halves=$((halves + 1))
		if [[ $((halves % 8)) == 1 ]]; then
			run vmrun "$small" -- true
			expect_refused "half way from one id map to another" "idshift"
			run vmrun --idmap=subid "$small" -- true
			expect_refused "half way from one id map to another"
			run "$VMRUN" rootfs clone "$small" "$WORK/copy"
			expect_refused "half way from one id map to another"
			run idshift --to="$layout" "$small"
			expect_refused "is half way to the id map" "finish that first"
			# Renamed, it is not lost to another one of its old name.
			mv "$small" "$WORK/away"
			fresh "$small"
			run idshift "--to=$to" "$small"
			expect_refused "is the plan of another directory"
			as_guest_owner rm -rf "$small"
			mv "$WORK/away" "$small"
			run "$WORK/kill-at" first first $((n - 3)) "$VMRUN" rootfs idshift "--to=$to" "$small"
		fi
	fi
	run idshift "--to=$to" "$small"
	expect_exit 0
	listing "$to" "$small" | sed 's/ m[0-9]*\b//' >"$WORK/now"
	diff "$WORK/before" "$WORK/now" >"$WORK/diff" || fail "killed at $n: $(head -c 2000 "$WORK/diff")"
	nothing_left "$small"
	layout=$to
done
[[ $halves -gt 3 ]] || fail "never killed half way, of $n system calls"
echo "killed at up to $n system calls, half way $halves times"

# vmrun itself is killed, or told to end, at any moment.
many=$WORK/many
fresh "$many"
in_subid bash -euc "cd '$many'; for d in 1 2 3 4 5 6 7 8; do mkdir \$d; (cd \$d; seq 1000 | xargs touch; chown 1:1 {1..500}); done"
listing subid "$many" >"$WORK/before"
layout=subid
for signal in KILL TERM KILL TERM; do
	[[ $layout == subid ]] && to=caller || to=subid
	idshift "--to=$to" "$many" >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	wait_for 20 eval "[[ -L $many/.vmrun-idshift ]] || ! kill -0 $pid 2>/dev/null"
	below=$(descendants "$pid")
	kill -s "$signal" "$pid" 2>/dev/null || true
	status=0
	wait "$pid" || status=$?
	# shellcheck disable=SC2086
	expect_gone $below
	if [[ $status -ne 0 ]]; then
		expect_eq "status after $signal" "$status" $((128 + $(kill -l "$signal")))
		[[ $signal == KILL ]] || ! [[ -L $many/.vmrun-idshift ]] || expect_err "interrupted half way" "run the same command again"
		run idshift "--to=$to" "$many"
		expect_exit 0
	fi
	expect_listing "$to" "$many" "$WORK/before"
	nothing_left "$many"
	layout=$to
done

# --- refused ---

in_subid ln -s forged "$small/.vmrun-idshift" 2>/dev/null || as_guest_owner ln -s forged "$small/.vmrun-idshift"
run idshift --to=caller "$small"
expect_refused "the plan that would finish that is not beside it"
as_guest_owner rm "$small/.vmrun-idshift"
run idshift "$small"
expect_refused "--to is not given"
run idshift --to=auto "$small"
expect_refused "--to is not given"
run idshift --to=caller "$WORK/none"
expect_refused "does not exist"
run idshift --to=0:0:1 "$small"
expect_refused "newuidmap refused"
mkdir "$WORK/empty"
run idshift --to=subid "$WORK/empty"
expect_refused "is no root directory"
nothing_left "$WORK/empty"
as_guest_owner rm -rf "$WORK"/{zoo,base,small,many}
