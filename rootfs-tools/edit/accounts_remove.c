/* SPDX-License-Identifier: MIT */
/*
 * A file may have as many lines as fit, and all of them may be the chosen ones': names and
 * ids are sorted, and looked up.
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/edit/accounts.h"
#include "rootfs-tools/edit/accounts_lines.h"
#include "runner/base/cleanup.h"

struct user {
	struct span name;
	uint32_t gid;
};

/* Grows by add(), and is looked into when it was sorted. */
struct set {
	void *v;
	size_t n, cap;
};

struct removal {
	bool (*chosen)(const struct account *, void *arg);
	void *arg;
	struct set gone, kept;		 /* struct user, by name and gid */
	struct set gone_uids, kept_uids; /* uint32_t */
	struct set kept_gids;
	struct set groups; /* struct span: names of those that go */
	bool failed;
};

static void add(struct removal *r, struct set *set, const void *entry, size_t size)
{
	char *v = set->v;

	if (set->n == set->cap) {
		size_t cap = set->cap ? 2 * set->cap : 64;

		v = reallocarray(v, cap, size);
		r->failed |= !v;
		if (!v)
			return;
		set->v = v;
		set->cap = cap;
	}
	memcpy(v + set->n++ * size, entry, size);
}

static void sort(struct set *set, size_t size, int (*order)(const void *, const void *))
{
	if (set->n)
		qsort(set->v, set->n, size, order);
}

static bool have(const struct set *set, const void *entry, size_t size,
		 int (*order)(const void *, const void *))
{
	return set->n && bsearch(entry, set->v, set->n, size, order);
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b)
{
	return span_order(&((const struct user *)a)->name, &((const struct user *)b)->name);
}

static int by_name_and_gid(const void *a, const void *b)
{
	int names = by_name(a, b);

	return names ? names :
		       by_id(&((const struct user *)a)->gid, &((const struct user *)b)->gid);
}

/* --- who goes --- */

/* One of two lines with the same name that stays keeps the other. */
static bool goes(const struct removal *r, struct span name)
{
	const struct user key = { .name = name };

	return have(&r->gone, &key, sizeof(key), by_name) &&
	       !have(&r->kept, &key, sizeof(key), by_name);
}

static bool id_goes(const struct removal *r, uint32_t uid)
{
	return have(&r->gone_uids, &uid, sizeof(uid), by_id) &&
	       !have(&r->kept_uids, &uid, sizeof(uid), by_id);
}

static void choose(struct removal *r, struct span passwd)
{
	struct account account;
	struct line line;

	while (accounts_next_line(&passwd, PASSWD_FIELDS, &line)) {
		struct user user;
		bool goes_now;

		if (!accounts_parse(&line, &account))
			continue;
		user = (struct user){ line.f[0], account.gid };
		goes_now = r->chosen(&account, r->arg);
		add(r, goes_now ? &r->gone : &r->kept, &user, sizeof(user));
		add(r, goes_now ? &r->gone_uids : &r->kept_uids, &account.uid, sizeof(uint32_t));
		if (!goes_now)
			add(r, &r->kept_gids, &account.gid, sizeof(uint32_t));
	}
	sort(&r->gone, sizeof(struct user), by_name_and_gid);
	sort(&r->kept, sizeof(struct user), by_name_and_gid);
	sort(&r->gone_uids, sizeof(uint32_t), by_id);
	sort(&r->kept_uids, sizeof(uint32_t), by_id);
	sort(&r->kept_gids, sizeof(uint32_t), by_id);
}

static unsigned int count(const struct removal *r)
{
	const struct user *v = r->gone.v;
	unsigned int n = 0;

	for (size_t i = 0; i < r->gone.n; i++)
		if ((i == 0 || by_name(&v[i - 1], &v[i]) != 0) && goes(r, v[i].name))
			n++;
	return n;
}

/* --- their lines --- */

/* passwd(5), shadow(5), subuid(5): a line is a user's. The latter may have its number. */
static void filter_users(const struct removal *r, struct span rest, unsigned int fields,
			 bool numbers, struct strbuf *out)
{
	struct line line;
	uint32_t uid;

	while (accounts_next_line(&rest, fields, &line)) {
		bool out_with_it = line.n &&
				   (goes(r, line.f[0]) ||
				    (numbers && span_id(line.f[0], &uid) && id_goes(r, uid)));

		if (!out_with_it)
			strbuf_add(out, line.whole.p, line.whole.len);
	}
}

/* A list of users. Return: how many are left. */
static size_t filter_members(const struct removal *r, struct span list, struct strbuf *out)
{
	struct span name;
	size_t written = 0, left = 0;

	while (accounts_cut(&list, ',', &name)) {
		if (goes(r, name))
			continue;
		if (written++)
			strbuf_putc(out, ',');
		strbuf_add(out, name.p, name.len);
		left += name.len != 0;
	}
	return left;
}

static bool is_own_group(const struct removal *r, const struct line *line)
{
	struct user key = { .name = line->f[0] };

	return span_id(line->f[2], &key.gid) && goes(r, key.name) &&
	       have(&r->gone, &key, sizeof(key), by_name_and_gid) &&
	       !have(&r->kept_gids, &key.gid, sizeof(key.gid), by_id);
}

/* Members are in all fields from @field on. Return: how many are left. */
static size_t filter_fields(const struct removal *r, const struct line *line, unsigned int field,
			    struct strbuf *out)
{
	const struct span *last = &line->f[line->n - 1];
	const char *end = line->whole.p + line->whole.len;
	size_t left = 0;

	strbuf_add(out, line->whole.p, (size_t)(line->f[field].p - line->whole.p));
	for (unsigned int i = field; i < line->n; i++) {
		if (i > field)
			strbuf_putc(out, ':');
		left += filter_members(r, line->f[i], out);
	}
	strbuf_add(out, last->p + last->len, (size_t)(end - last->p) - last->len);
	return left;
}

static void filter_groups(struct removal *r, struct span rest, struct strbuf *out)
{
	struct line line;

	while (accounts_next_line(&rest, GROUP_FIELDS, &line)) {
		size_t before = out->len;

		if (line.n < GROUP_FIELDS) {
			strbuf_add(out, line.whole.p, line.whole.len);
			continue;
		}
		if (filter_fields(r, &line, 3, out) || !is_own_group(r, &line) || out->failed)
			continue;
		out->len = before;
		out->data[before] = '\0';
		add(r, &r->groups, &line.f[0], sizeof(struct span));
	}
	sort(&r->groups, sizeof(struct span), span_order);
}

static void filter_gshadow(const struct removal *r, struct span rest, struct strbuf *out)
{
	struct line line;

	while (accounts_next_line(&rest, GROUP_FIELDS, &line)) {
		if (line.n && have(&r->groups, &line.f[0], sizeof(struct span), span_order))
			continue;
		if (line.n < GROUP_FIELDS)
			strbuf_add(out, line.whole.p, line.whole.len);
		else
			filter_fields(r, &line, 2, out);
	}
}

static void filter(struct removal *r, const struct span text[ACCOUNTS_FILES],
		   struct accounts_changed *ret)
{
	struct strbuf *out = ret->file;

	/* What loses its last line is there, and empty. */
	for (unsigned int i = 0; i < ACCOUNTS_FILES; i++)
		if (text[i].p)
			strbuf_puts(&out[i], "");
	choose(r, text[ACCOUNTS_PASSWD]);
	filter_users(r, text[ACCOUNTS_PASSWD], PASSWD_FIELDS, false, &out[ACCOUNTS_PASSWD]);
	filter_users(r, text[ACCOUNTS_SHADOW], SHADOW_FIELDS, false, &out[ACCOUNTS_SHADOW]);
	filter_groups(r, text[ACCOUNTS_GROUP], &out[ACCOUNTS_GROUP]);
	filter_gshadow(r, text[ACCOUNTS_GSHADOW], &out[ACCOUNTS_GSHADOW]);
	filter_users(r, text[ACCOUNTS_SUBUID], SUBID_FIELDS, true, &out[ACCOUNTS_SUBUID]);
	filter_users(r, text[ACCOUNTS_SUBGID], SUBID_FIELDS, true, &out[ACCOUNTS_SUBGID]);
	for (unsigned int i = 0; i < ACCOUNTS_FILES; i++)
		r->failed |= out[i].failed;
}

int accounts_remove_users(const struct accounts_texts *in,
			  bool (*chosen)(const struct account *, void *arg), void *arg,
			  struct accounts_changed *ret, unsigned int *ret_n, struct err *e)
{
	struct removal r = { .chosen = chosen, .arg = arg };
	struct set *const sets[] = { &r.gone,	   &r.kept,	 &r.gone_uids,
				     &r.kept_uids, &r.kept_gids, &r.groups };
	struct span text[ACCOUNTS_FILES];

	for (unsigned int i = 0; i < ACCOUNTS_FILES; i++)
		text[i] = (struct span){ in->file[i].text, in->file[i].len };
	filter(&r, text, ret);
	if (!r.failed)
		*ret_n = count(&r);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		free(sets[i]->v);
	return r.failed ? err_oom(e) : 0;
}
