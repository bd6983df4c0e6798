/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/size_text.h"

#include "runner/base/cleanup.h"

void size_text(struct strbuf *out, uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	strbuf_printf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}
