/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/passwd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PASSWD_FIELDS 7 /* name:password:uid:gid:comment:home:shell */
#define GROUP_FIELDS 4	/* name:password:gid:members */

struct span {
	const char *p;
	size_t len;
};

#define DEFAULT_HOME ((struct span){ "/", 1 })
#define DEFAULT_SHELL ((struct span){ "/bin/sh", 7 })

/* Cuts what comes before @separator off @s; false once nothing is left. */
static bool span_cut(struct span *s, char separator, struct span *ret)
{
	const char *end;

	if (!s->p)
		return false;
	end = memchr(s->p, separator, s->len);
	*ret = (struct span){ s->p, end ? (size_t)(end - s->p) : s->len };
	s->len -= end ? ret->len + 1 : ret->len;
	s->p = end ? end + 1 : NULL;
	return true;
}

static bool span_is(struct span s, struct span other)
{
	return s.len == other.len && memcmp(s.p, other.p, s.len) == 0;
}

/* An id; the all-ones one means "none" to the kernel. */
static bool span_id(struct span s, uint32_t *ret)
{
	uint64_t id = 0;

	if (s.len == 0 || s.len > 10)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(s.p[i] - '0');
	}
	if (id >= UINT32_MAX)
		return false;
	*ret = (uint32_t)id;
	return true;
}

static bool span_fits(struct span s)
{
	return s.len < USER_FIELD_MAX && !memchr(s.p, '\0', s.len);
}

static void span_copy(struct span s, char out[USER_FIELD_MAX])
{
	memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

/* The next line with @n fields, less the last ones where @least are enough. */
static bool next_entry(struct span *text, struct span *field, size_t n, size_t least)
{
	struct span line;

	while (span_cut(text, '\n', &line)) {
		size_t i = 0;

		while (i < n && span_cut(&line, ':', &field[i]))
			i++;
		if (i < least || line.p || field[0].len == 0)
			continue;
		for (; i < n; i++)
			field[i] = (struct span){ "", 0 };
		return true;
	}
	return false;
}

/* Finds the entry with that name or, without a name, with that id. */
static bool passwd_find(const struct user_db *db, const struct span *name, uint32_t uid,
			struct user *ret)
{
	struct span text = { db->passwd, db->passwd_len };
	struct span f[PASSWD_FIELDS];
	uint32_t id, gid;

	while (next_entry(&text, f, PASSWD_FIELDS, PASSWD_FIELDS - 1)) {
		if (name && !span_is(f[0], *name))
			continue;
		if (!span_id(f[2], &id) || !span_id(f[3], &gid) || !span_fits(f[0]) ||
		    !span_fits(f[5]) || !span_fits(f[6]))
			continue;
		if (!name && id != uid)
			continue;
		ret->uid = id;
		ret->gid = gid;
		span_copy(f[0], ret->name);
		span_copy(f[5].len ? f[5] : DEFAULT_HOME, ret->home);
		span_copy(f[6].len ? f[6] : DEFAULT_SHELL, ret->shell);
		return true;
	}
	return false;
}

static bool group_find(const struct user_db *db, struct span name, uint32_t *ret_gid)
{
	struct span text = { db->group, db->group_len };
	struct span f[GROUP_FIELDS];

	while (next_entry(&text, f, GROUP_FIELDS, GROUP_FIELDS - 1))
		if (span_is(f[0], name) && span_id(f[2], ret_gid))
			return true;
	return false;
}

static bool group_lists(struct span members, struct span name)
{
	struct span member;

	while (span_cut(&members, ',', &member))
		if (span_is(member, name))
			return true;
	return false;
}

static int groups_of(const struct user_db *db, struct user *u, struct fail *f)
{
	struct span text = { db->group, db->group_len };
	struct span name = { u->name, strlen(u->name) };
	struct span field[GROUP_FIELDS];
	uint32_t gid;

	while (next_entry(&text, field, GROUP_FIELDS, GROUP_FIELDS)) {
		if (!span_id(field[2], &gid) || gid == u->gid || !group_lists(field[3], name))
			continue;
		if (u->n_groups == USER_GROUPS_MAX)
			return fail_text(f, E2BIG,
					 "user '%.64s' is in more than %d groups of the "
					 "base's /etc/group",
					 u->name, USER_GROUPS_MAX);
		u->groups[u->n_groups++] = gid;
	}
	return 0;
}

/* A user that needs no entry: an id, or root. */
static bool user_without_entry(struct span name, struct user *ret)
{
	bool root = span_is(name, (struct span){ "root", 4 });

	ret->uid = 0;
	if (!root && !span_id(name, &ret->uid))
		return false;
	ret->gid = 0;
	span_copy(DEFAULT_SHELL, ret->shell);
	if (ret->uid == 0) {
		span_copy((struct span){ "root", 4 }, ret->name);
		span_copy((struct span){ "/root", 5 }, ret->home);
	} else {
		snprintf(ret->name, sizeof(ret->name), "%u", ret->uid);
		span_copy(DEFAULT_HOME, ret->home);
	}
	return true;
}

int user_resolve(const char *spec, const struct user_db *db, struct user *ret, struct fail *f)
{
	struct span text = { spec ? spec : "root", spec ? strlen(spec) : 4 };
	struct span name, group = { NULL, 0 };
	struct user u = { 0 };
	uint32_t uid;
	int r = 0;

	span_cut(&text, ':', &name);
	if (text.p)
		group = text;
	if (!passwd_find(db, &name, 0, &u) &&
	    !(span_id(name, &uid) && passwd_find(db, NULL, uid, &u)) &&
	    !user_without_entry(name, &u))
		return fail_text(f, ENOENT, "no user '%.*s' in the base's /etc/passwd",
				 (int)(name.len < 256 ? name.len : 256), name.p);
	if (!group.p)
		r = groups_of(db, &u, f);
	else if (!group_find(db, group, &u.gid) && !span_id(group, &u.gid))
		r = fail_text(f, ENOENT, "no group '%.256s' in the base's /etc/group", group.p);
	if (r < 0)
		return r;
	*ret = u;
	return 0;
}
