/* SPDX-License-Identifier: MIT */
#include "runner/vm/template_print.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "runner/base/cleanup.h"
#include "runner/spec/vm_spec.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define CELL_SIZE 128

enum column { KEY, KERNEL, MEMORY, CPUS, ACCEL, QEMU, SIZE, AGE, USED, N_COLUMNS };

struct row {
	char cell[N_COLUMNS][CELL_SIZE];
};

static const struct {
	const char *title;
	bool right; /* numbers */
} columns[N_COLUMNS] = {
	[KEY] = { .title = "KEY" },
	[KERNEL] = { .title = "KERNEL" },
	[MEMORY] = { .title = "MEM", .right = true },
	[CPUS] = { .title = "CPUS", .right = true },
	[ACCEL] = { .title = "ACCEL" },
	[QEMU] = { .title = "QEMU" },
	[SIZE] = { .title = "SIZE", .right = true },
	[AGE] = { .title = "AGE", .right = true },
	[USED] = { .title = "USED", .right = true },
};

static const char *accel_name(uint32_t accel)
{
	return accel == ACCEL_KVM ? "kvm" : "tcg";
}

/* No kernel has other bytes in its version; neither a table nor JSON takes all of them. */
static void ascii_only(const char *text, char *ret, size_t size)
{
	snprintf(ret, size, "%s", text);
	for (char *p = ret; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
}

/* Exactly, as it was asked for. */
static void memory_text(uint64_t bytes, char *ret, size_t size)
{
	bool gib = bytes % GIB == 0;

	snprintf(ret, size, "%" PRIu64 "%c", bytes / (gib ? GIB : MIB), gib ? 'G' : 'M');
}

/* Two digits that count, or all before the point. */
static void size_text(uint64_t bytes, char *ret, size_t size)
{
	uint64_t unit = bytes < GIB ? MIB : GIB;
	uint64_t tenths = bytes / unit * 10 + bytes % unit * 10 / unit;

	if (tenths < 100)
		snprintf(ret, size, "%u.%u%c", (unsigned int)tenths / 10, (unsigned int)tenths % 10,
			 unit == MIB ? 'M' : 'G');
	else
		snprintf(ret, size, "%" PRIu64 "%c", tenths / 10, unit == MIB ? 'M' : 'G');
}

static void ago_text(int64_t then, int64_t now, char *ret, size_t size)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	/* A clock that was put back leaves times in the future. */
	uint64_t ago = now > then ? (uint64_t)now - (uint64_t)then : 0;
	size_t i = 0;

	while (i < ARRAY_SIZE(units) - 1 && ago < units[i].seconds)
		i++;
	snprintf(ret, size, "%" PRIu64 "%c", ago / units[i].seconds, units[i].unit);
}

static void fill_known(const struct template_info *info, int64_t now, struct row *row)
{
	ascii_only(info->kernel_version, row->cell[KERNEL], CELL_SIZE);
	memory_text(info->memory, row->cell[MEMORY], CELL_SIZE);
	snprintf(row->cell[CPUS], CELL_SIZE, "%" PRIu32, info->cpus);
	snprintf(row->cell[ACCEL], CELL_SIZE, "%s", accel_name(info->accel));
	snprintf(row->cell[QEMU], CELL_SIZE, "%" PRIu32 ".%" PRIu32 ".%" PRIu32,
		 info->qemu_version[0], info->qemu_version[1], info->qemu_version[2]);
	ago_text(info->created, now, row->cell[AGE], CELL_SIZE);
}

static void fill(const struct template_entry *entry, int64_t now, struct row *row)
{
	for (unsigned int c = 0; c < N_COLUMNS; c++)
		snprintf(row->cell[c], CELL_SIZE, "-");
	snprintf(row->cell[KEY], CELL_SIZE, "%.*s", TEMPLATE_KEY_SHORT, entry->name);
	size_text(entry->disk, row->cell[SIZE], CELL_SIZE);
	if (entry->in_use)
		snprintf(row->cell[USED], CELL_SIZE, "in use");
	else
		ago_text(entry->last_used, now, row->cell[USED], CELL_SIZE);
	if (entry->bad)
		snprintf(row->cell[KERNEL], CELL_SIZE, "(bad)");
	else
		fill_known(&entry->info, now, row);
}

static void print_rows(const struct row *rows, size_t n, struct strbuf *out)
{
	int width[N_COLUMNS] = { 0 };

	for (size_t i = 0; i < n; i++)
		for (unsigned int c = 0; c < N_COLUMNS; c++) {
			int len = (int)strlen(rows[i].cell[c]);

			if (len > width[c])
				width[c] = len;
		}
	for (size_t i = 0; i < n; i++)
		for (unsigned int c = 0; c < N_COLUMNS; c++)
			strbuf_printf(out, "%*s%s", columns[c].right ? width[c] : -width[c],
				      rows[i].cell[c], c == N_COLUMNS - 1 ? "\n" : "  ");
}

void template_print_table(const struct template_entry *entries, size_t n, int64_t now,
			  struct strbuf *out)
{
	_cleanup_free_ struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows) {
		out->failed = true;
		return;
	}
	for (unsigned int c = 0; c < N_COLUMNS; c++)
		snprintf(rows[0].cell[c], CELL_SIZE, "%s", columns[c].title);
	for (size_t i = 0; i < n; i++)
		fill(&entries[i], now, &rows[i + 1]);
	print_rows(rows, n + 1, out);
}

/* ISO 8601, UTC. */
static json_t *time_json(int64_t seconds)
{
	char text[64];
	time_t t = seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_null();
	return json_string(text);
}

static json_t *known_json(const struct template_info *info)
{
	char kernel[sizeof(info->kernel_version)], qemu[64];

	ascii_only(info->kernel_version, kernel, sizeof(kernel));
	snprintf(qemu, sizeof(qemu), "%" PRIu32 ".%" PRIu32 ".%" PRIu32, info->qemu_version[0],
		 info->qemu_version[1], info->qemu_version[2]);
	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:o}", "kernel_version", kernel, "memory_bytes",
			 (json_int_t)info->memory, "cpus", (json_int_t)info->cpus, "accel",
			 accel_name(info->accel), "qemu_version", qemu, "created",
			 time_json(info->created));
}

static json_t *entry_json(const struct template_entry *entry)
{
	json_t *known, *ret = json_pack("{s:s#, s:b, s:b, s:I, s:o}", "key", entry->name,
					TEMPLATE_KEY_DIGITS, "bad", entry->bad, "in_use",
					entry->in_use, "disk_bytes", (json_int_t)entry->disk,
					"last_used", time_json(entry->last_used));

	if (entry->bad)
		known = json_pack("{s:n, s:n, s:n, s:n, s:n, s:n}", "kernel_version",
				  "memory_bytes", "cpus", "accel", "qemu_version", "created");
	else
		known = known_json(&entry->info);
	/* Without memory either is NULL, which these report. */
	if (json_object_update(ret, known) < 0) {
		json_decref(ret);
		ret = NULL;
	}
	json_decref(known);
	return ret;
}

void template_print_json(const struct template_entry *entries, size_t n, struct strbuf *out)
{
	_cleanup_free_ char *text = NULL;
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, entry_json(&entries[i])) < 0)
			out->failed = true;
	text = list ? json_dumps(list, JSON_INDENT(2)) : NULL;
	json_decref(list);
	if (text)
		strbuf_printf(out, "%s\n", text);
	else
		out->failed = true;
}

void template_print_removed(unsigned int n, uint64_t freed, struct strbuf *out)
{
	strbuf_printf(out, "removed %u template%s, %" PRIu64 ".%u MiB\n", n, n == 1 ? "" : "s",
		      freed / MIB, (unsigned int)(freed % MIB * 10 / MIB));
}

int template_find_by_digits(const struct template_entry *entries, size_t n, const char *digits,
			    const struct template_entry **ret, struct err *e)
{
	const struct template_entry *found = NULL;
	size_t len = strlen(digits);

	if (len < TEMPLATE_KEY_MIN || len > TEMPLATE_KEY_DIGITS ||
	    strspn(digits, "0123456789abcdefABCDEF") != len)
		return err_msg(e, EINVAL,
			       "'%.80s' is no key of a template; give %d or more of the hex digits "
			       "that vmrun template ls shows",
			       digits, TEMPLATE_KEY_MIN);
	for (size_t i = 0; i < n; i++) {
		if (strncasecmp(entries[i].name, digits, len) != 0)
			continue;
		if (found)
			return err_msg(e, ENOTUNIQ,
				       "several templates have a key that begins with %s; give "
				       "more of its digits",
				       digits);
		found = &entries[i];
	}
	if (!found)
		return err_msg(e, ENOENT,
			       "no template has a key that begins with %s; see vmrun template ls",
			       digits);
	*ret = found;
	return 0;
}
