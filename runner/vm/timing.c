/* SPDX-License-Identifier: MIT */
#include "runner/vm/timing.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define COLUMNS 40
#define NAME_WIDTH 9 /* "namespace" */
#define BAR_WIDTH 20
#define NUMBER_WIDTH 8 /* 999999.9: more than a quarter of an hour */

static const char *const names[TIMING_COUNT] = {
	[TIMING_HOST] = "host",	      [TIMING_NAMESPACE] = "namespace", [TIMING_JAIL] = "jail",
	[TIMING_PREPARE] = "prepare", [TIMING_EXEC] = "exec",		[TIMING_QEMU] = "qemu",
	[TIMING_BOOT] = "boot",	      [TIMING_MOUNT] = "mount",		[TIMING_COMMAND] = "command",
	[TIMING_END] = "end",
};

/* What a struct timing says, in units that are shown. */
struct phases {
	struct {
		const char *name;
		uint64_t units;
	} of[TIMING_COUNT];
	unsigned int n;
	uint64_t longest;
	uint64_t total;
};

uint64_t timing_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void timing_mark(struct timing *t, enum timing_mark mark)
{
	t->at[mark] = timing_now();
}

/*
 * It is the moments that are rounded, not what lies between them: so the phases
 * add up to the total. Before the first moment that was reached nothing is known.
 *
 * @unit: in nanoseconds.
 */
static void measure(const struct timing *t, uint64_t unit, struct phases *ret)
{
	uint64_t begin = 0;

	*ret = (struct phases){ 0 };
	for (unsigned int i = TIMING_BEGIN; i < TIMING_COUNT; i++) {
		uint64_t moment, units;

		if (!t->at[i])
			continue;
		if (!begin) {
			begin = t->at[i];
			continue;
		}
		moment = t->at[i] > begin ? t->at[i] - begin : 0;
		moment = moment / unit + (moment % unit >= (unit + 1) / 2);
		units = moment > ret->total ? moment - ret->total : 0;
		ret->of[ret->n].name = i == TIMING_BOOT && t->restored ? "restore" : names[i];
		ret->of[ret->n++].units = units;
		ret->total += units;
		if (units > ret->longest)
			ret->longest = units;
	}
}

/* Tenths of milliseconds. */
static void print_row(struct strbuf *out, const char *name, int width, uint64_t tenths)
{
	char number[32];

	snprintf(number, sizeof(number), "%" PRIu64 ".%u", tenths / 10,
		 (unsigned int)(tenths % 10));
	strbuf_printf(out, "%-*s %*s", NAME_WIDTH, name, width, number);
}

void timing_print(const struct timing *t, struct strbuf *out)
{
	struct phases phases;
	int width, bar;

	measure(t, 100000, &phases);
	width = snprintf(NULL, 0, "%" PRIu64, phases.total / 10) + 2;
	if (width < NUMBER_WIDTH)
		width = NUMBER_WIDTH;
	bar = COLUMNS - NAME_WIDTH - 1 - width - 1;
	if (bar > BAR_WIDTH)
		bar = BAR_WIDTH;
	strbuf_printf(out, "%-*s %*s\n", NAME_WIDTH, "phase", width, "ms");
	for (unsigned int i = 0; i < phases.n; i++) {
		uint64_t units = phases.of[i].units, marks = 0;

		print_row(out, phases.of[i].name, width, units);
		if (phases.longest)
			marks = (units * (uint64_t)bar + phases.longest / 2) / phases.longest;
		for (uint64_t m = 0; m < marks; m++)
			strbuf_puts(out, m ? "#" : " #");
		strbuf_putc(out, '\n');
	}
	print_row(out, "total", width, phases.total);
	strbuf_putc(out, '\n');
}

/* Milliseconds, written from microseconds. */
static void print_ms(struct strbuf *out, const char *key, uint64_t us)
{
	strbuf_printf(out, "\"%s\":%" PRIu64 ".%03u", key, us / 1000, (unsigned int)(us % 1000));
}

void timing_print_json(const struct timing *t, struct strbuf *out)
{
	struct phases phases;

	measure(t, 1000, &phases);
	strbuf_printf(out, "{\"restored\":%s,", t->restored ? "true" : "false");
	print_ms(out, "total_ms", phases.total);
	strbuf_puts(out, ",\"phases\":[");
	for (unsigned int i = 0; i < phases.n; i++) {
		strbuf_printf(out, "%s{\"name\":\"%s\",", i ? "," : "", phases.of[i].name);
		print_ms(out, "ms", phases.of[i].units);
		strbuf_putc(out, '}');
	}
	strbuf_puts(out, "]}\n");
}
