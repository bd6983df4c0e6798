# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Helpers of the tests of templates, sourced after e2e.sh.
. "$(dirname "${BASH_SOURCE[0]}")/fake-qemu.sh"

# own_cache: a cache of this test's own, which may be spoilt, with no template in it.
# The unpacked kernels are copied: to unpack one takes seconds.
own_cache() {
	local shared=$XDG_CACHE_HOME/vmrun
	XDG_CACHE_HOME=$(mktemp -d "$WORK/cache.XXXXXX")
	export XDG_CACHE_HOME
	templates=$XDG_CACHE_HOME/vmrun/templates
	mkdir "$XDG_CACHE_HOME/vmrun"
	[[ ! -d $shared/kernels ]] || cp -r "$shared/kernels" "$XDG_CACHE_HOME/vmrun/"
}

# own_template: the same with the template for $BASE in it, whose path is then $template.
own_template() {
	local key shared=$XDG_CACHE_HOME/vmrun/templates
	key=$("$VMRUN" template create --accel=tcg --read-only "$BASE")
	own_cache
	mkdir "$templates"
	template=$templates/$key.template
	cp --sparse=always "$shared/$key.template" "$template"
}

# The template that there is, or several in a line.
list_templates() {
	find "$templates" -name '*.template' 2>/dev/null | sort | tr '\n' ' ' | sed 's/ $//'
}

# What a maker that was interrupted must not leave behind is no lock and no note.
expect_no_template() {
	expect_eq "files of templates" \
		"$(find "$templates" -mindepth 1 ! -name lock ! -name '*.boot' 2>/dev/null)" ""
}

# After a run with --timing=json. Takes that line out of stderr.
expect_restored() {
	expect_timing '"restored":true'
}

expect_booted() {
	expect_timing '"restored":false'
}

expect_timing() {
	grep -q "^{$1,\"total_ms\"" "$WORK/err" || fail "not $1"
	sed -i '/^{"restored":/d' "$WORK/err"
}

digest() { # FILE
	sha256sum <"$1"
}

qemu_prefix=$WORK/qemu

# steal_template_over ROOT [OPTION...]: in a run that is to wake up from a template, a
# thief in QEMU's place gets nothing of it. The run then boots, as the thief is no guest.
steal_template_over() {
	local root=$1 stolen before
	shift
	if [[ -z ${VMRUN_QEMU:-} ]]; then
		fake_qemu "$qemu_prefix" -DTEMPLATES="\"$templates\"" <"$here/template-thief.c"
	fi
	stolen=$templates/$("$VMRUN" template create --accel=tcg "$@" "$root").template
	ln "$stolen" "$WORK/kept" # a template that did not wake is removed
	before=$(digest "$WORK/kept")
	mkdir -m 777 "$WORK/volume"
	run vmrun "$@" -v "$WORK/volume:/mnt" "$root" -- echo booted
	expect_exit 0
	expect_out booted
	expect_err "QEMU failed (exit status 3): breaches: none"
	expect_eq "digest of the template" "$(digest "$WORK/kept")" "$before"
	expect_eq "mode of the template" "$(stat -c %a "$WORK/kept")" 444
	rm -r "$WORK/volume"
	mv "$WORK/kept" "$stolen"
}
