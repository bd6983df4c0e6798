#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest whose agent lost its connection: 125, never the command's 0.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- sh -c '
	cd /sys/bus/virtio/drivers/virtio_console
	for device in virtio*; do echo "$device" >unbind; done
	sleep 1'
expect_exit 125
expect_err agent connection
