#!/bin/bash
# SPDX-License-Identifier: MIT
# Without a command: root's login shell from the base's /etc/passwd, at home.
. "$(dirname "$0")/../lib/e2e.sh"

run vmrun "$BASE" <<<'echo "$0 in $PWD, home $HOME, shell $SHELL, user $USER"; shopt -q login_shell && exit 5'
expect_exit 5
expect_out '-bash in /root, home /root, shell /bin/bash, user root'

copy_base "$WORK/base"
as_guest_owner sed -i 's|^root:.*|root:x:0:0::/srv:/bin/dash|' "$WORK/base/etc/passwd"
run vmrun "$WORK/base" <<<'echo "$0 in $PWD"'
expect_exit 0
expect_out '-dash in /srv'

run vmrun -u www-data "$WORK/base" <<<'echo never'
expect_exit 1 # its shell is nologin
