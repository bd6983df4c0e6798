#!/bin/bash
# SPDX-License-Identifier: MIT
# -u, -w, -e, --env-file and --hostname; what a missing user or directory says.
. "$(dirname "$0")/../lib/e2e.sh"

guest -u www-data -- sh -c 'id -u; id -g; id -G; echo "$HOME"; whoami'
expect_exit 0
expect_out $'33\n33\n33\n/var/www\nwww-data'

guest -u 1234:4321 -- sh -c 'id -u; id -g; pwd'
expect_exit 0
expect_out $'1234\n4321\n/'

printf '# a comment\nFROM_FILE=a b\n\nTAKEN\n' >"$WORK/env"
export TAKEN=taken PASSED=passed SECRET=secret
guest -w /usr/share -e A=1 -e 'B=x  y=z"$' -e PASSED --env-file "$WORK/env" --name=guest1 -- sh -c '
	pwd; echo "$A|$B|$PASSED|$FROM_FILE|$TAKEN|${SECRET-unset}|$PATH"; hostname'
expect_exit 0
expect_out '/usr/share
1|x  y=z"$|passed|a b|taken|unset|/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
guest1'

# Arguments arrive as they are.
guest -- printf '<%s>' '' 'a b' $'new\nline' '*' '$HOME' -- -x
expect_exit 0
expect_out $'<><a b><new\nline><*><$HOME><--><-x>'

guest -u nobody-such -- true
expect_exit 125
expect_err nobody-such
guest -w /no/such/place -- true
expect_exit 125
expect_err /no/such/place
