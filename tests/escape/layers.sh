#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# The self-test can fail: with each layer of the jail taken away in turn something comes
# out, and most with all of them away. The table that this gives is in ARCHITECTURE.md;
# UPDATE=1 writes it there. Its counts are of one machine: what is checked is what holds
# on every one.
. "$(dirname "$0")/../lib/e2e.sh"

layouts="caller subid single"
doc=$(dirname "$VMRUN")/ARCHITECTURE.md

# These alone let nothing out. no-namespaces: it is beneath seccomp, which kills for the
# same calls; without seccomp it is what stands between QEMU and all capabilities.
beneath="no-namespaces"

run "$VMRUN" sandbox --self-test --without=?
expect_refused "is no layer of the jail"
layers=$(sed 's/.*; there are \(.*\) and all$/\1/; s/,//g' "$WORK/err")

attempt() { # LAYOUT LAYERS: every attempt, to a file
	local status=0
	"$VMRUN" sandbox --self-test --idmap="$1" ${2:+--without="$2"} --verbose \
		>"$WORK/$1:$2" 2>&1 || status=$?
	[[ $status -le 1 ]] || cp "$WORK/$1:$2" "$WORK/failed:$1:$2"
}

begin() {
	while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do
		wait -n || true
	done
	attempt "$@" &
}

count() { # LAYOUT LAYERS
	grep -cP '\tout\t' "$WORK/$1:$2" || true
}

names() { # LAYOUT LAYERS: some of those that came out
	grep -P '\tout\t' "$WORK/$1:$2" | cut -f 2 | head -n 3 | paste -sd ' ' | sed 's/ /, /g'
}

for layout in $layouts; do
	begin "$layout" ""
	for layer in $layers all; do
		begin "$layout" "$layer"
	done
done
for layer in $layers; do
	begin caller "seccomp,$layer"
done
wait
for file in "$WORK"/failed:*; do
	[[ ! -e $file ]] || fail "no self-test: ${file##*/}: $(tail -n 1 "$file")"
done
! grep -lP '\tunknown\t' "$WORK"/*:* || fail "attempts came to no end"

# --- what has to hold ---

for layout in $layouts; do
	expect_eq "ways out of the whole jail ($layout)" "$(count "$layout" "")" 0
	[[ $(count "$layout" all) -ge 100 ]] || fail "with nothing left, too little comes out"
	for layer in $layers; do
		[[ " $beneath " == *" $layer "* || $(count "$layout" "$layer") -gt 0 ]] ||
			fail "nobody notices that $layer is missing ($layout)"
	done
done
for layer in $beneath; do
	[[ $(count caller "seccomp,$layer") -gt $(count caller seccomp) ]] ||
		fail "nobody notices that $layer is missing where seccomp is, too"
done
grep -qP '\tfile-path\tout\t.*the secret' "$WORK/caller:root" ||
	fail "no file is read without a root of its own"

# --- the table ---

row() { # NAME LAYERS
	local layout line="| $1 |" both=
	for layout in $layouts; do
		line+=" $(count "$layout" "$2") |"
	done
	[[ ! -e $WORK/caller:seccomp,$2 || $2 == seccomp ]] || both=$(count caller "seccomp,$2")
	echo "$line $both | $(names caller "$2") |"
}

total=$(wc -l <"$WORK/caller:")
{
	echo "| $((total - 1)) attempts, without | caller | subid | single | and seccomp | such as |"
	echo "|---|---|---|---|---|---|"
	row "nothing: the jail of guests" ""
	for layer in $layers; do
		row "$layer" "$layer"
	done
	row "all of them" all
} >"$WORK/table"
cat "$WORK/table"

begin_mark='<!-- escape table: UPDATE=1 tests/run escape/layers -->'
end_mark='<!-- end of escape table -->'
grep -qxF "$begin_mark" "$doc" || fail "ARCHITECTURE.md has no place for the table"
if [[ $UPDATE == 1 ]]; then
	awk -v begin="$begin_mark" -v end="$end_mark" -v table="$WORK/table" '
		$0 == begin { print; while ((getline line <table) > 0) print line; skip = 1 }
		$0 == end { skip = 0 }
		!skip && $0 != begin { print }' "$doc" >"$WORK/doc"
	cp "$WORK/doc" "$doc"
fi
# What does not depend on the machine: how much is tried, the layers, and the first row.
stable() {
	sed -n '1p; 3p' | cut -d '|' -f 1-5
}
written=$(awk -v begin="$begin_mark" -v end="$end_mark" '
	$0 == end { inside = 0 }
	inside { print }
	$0 == begin { inside = 1 }' "$doc")
expect_eq "the table in ARCHITECTURE.md (UPDATE=1 writes it)" \
	"$(stable <<<"$written"; cut -d '|' -f 2 <<<"$written" | tail -n +4)" \
	"$(stable <"$WORK/table"; cut -d '|' -f 2 "$WORK/table" | tail -n +4)"
