#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that wake up from one template share no random number, no clock and no name.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

# Static, as it has to run in the base. AT_RANDOM is what the kernel gave the new process;
# the canary is what became of it. Then it becomes the command that it was given.
mkdir "$WORK/bin"
cat >"$WORK/probe.c" <<'EOS'
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	unsigned long canary;

	__asm__("mov %%fs:0x28, %0" : "=r"(canary));
	printf("at-random ");
	for (int i = 0; i < 16; i++)
		printf("%02x", random[i]);
	printf("\ncanary %016lx\n", canary);
	fflush(stdout);
	if (argc > 1)
		execv(argv[1], argv + 1);
	return argc > 1;
}
EOS
cc -static -O1 -o "$WORK/bin/probe" "$WORK/probe.c"

# wake RUNS NOTICES [OPTION...]: that many restores, each of which has the kernel say that
# often that it was duplicated.
wake() {
	local runs=$1 notices=$2 i before after date
	shift 2
	rm -f "$WORK/numbers"
	for ((i = 0; i < runs; i++)); do
		before=$(date +%s)
		guest --timing=json --read-only --hostname="guest$i" -v "$WORK/bin:/mnt:ro" "$@" \
			-- /mnt/probe /bin/sh -ec '
			/mnt/probe
			echo "uuid $(cat /proc/sys/kernel/random/uuid)"
			echo "uuid $(cat /proc/sys/kernel/random/uuid)"
			echo "boot-id $(cat /proc/sys/kernel/random/boot_id)"
			echo "urandom $(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d " \n")"
			echo "date $(date +%s)"
			echo "name $(hostname) $(uname -n) $(getent hosts "guest'$i'" | tr -s " " | cut -d " " -f 2)"
			for try in 1 2 3; do
				dmesg | grep -q "virtual machine fork" && break
				sleep 0.2
			done
			echo "notices $(dmesg | grep -c "crng reseeded due to virtual machine fork")"'
		after=$(date +%s)
		expect_exit 0
		expect_restored
		expect_silent
		grep -v '^date\|^name\|^notices' "$WORK/out" >>"$WORK/numbers"
		date=$(sed -n 's/^date //p' "$WORK/out")
		[[ $date -ge $((before - 2)) && $date -le $((after + 2)) ]] ||
			fail "the guest's clock says $date, at $before to $after"
		expect_eq names "$(sed -n 's/^name //p' "$WORK/out")" "guest$i guest$i guest$i"
		expect_eq "notices of vmgenid" "$(sed -n 's/^notices //p' "$WORK/out")" "$notices"
	done
	expect_eq "random numbers" "$(wc -l <"$WORK/numbers")" $((runs * 8))
	expect_eq "seen twice" "$(sort "$WORK/numbers" | uniq -d)" ""
}

own_template
sleep 3 # so that a clock which goes on where the template's stood still is wrong by that
wake 5 1
# By vmrun's seed alone: not told of its duplication, and with a CPU that has no random
# numbers, a kernel without it would say the same thing each time.
alone="initcall_blacklist=vmgenid_driver_init clearcpuid=rdrand,rdseed"
guest --read-only -a "$alone" -- true
expect_exit 0
wake 3 0 -a "$alone"
