/* SPDX-License-Identifier: MIT */
/*
 * passwd(5) and its neighbours with anything in them: who is found, what becomes of them
 * when a hash is set, a user added, users removed.
 *
 * Input: up to six texts, with 0xff between them.
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/edit/accounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is)
{
	if (!is)
		abort();
}

static bool same(const struct accounts_texts *in, const struct accounts_changed *out,
		 unsigned int file)
{
	return in->file[file].len == out->file[file].len &&
	       (!in->file[file].len ||
		!memcmp(in->file[file].text, out->file[file].data, in->file[file].len));
}

static bool nobody(const struct account *a, void *arg)
{
	(void)a;
	(void)arg;
	return false;
}

static bool some(const struct account *a, void *arg)
{
	++*(unsigned int *)arg;
	return a->uid % 2;
}

static void remove_users(const struct accounts_texts *in)
{
	_cleanup_accounts_changed_ struct accounts_changed none = { 0 }, odd = { 0 };
	unsigned int n, asked = 0;
	struct err e;

	expect(accounts_remove_users(in, nobody, NULL, &none, &n, &e) == 0 && n == 0);
	for (unsigned int i = 0; i < ACCOUNTS_FILES; i++)
		expect(same(in, &none, i));
	expect(accounts_remove_users(in, some, &asked, &odd, &n, &e) == 0 && n <= asked);
	for (unsigned int i = 0; i < ACCOUNTS_FILES; i++)
		expect(odd.file[i].len <= in->file[i].len);
	expect(n == 0 || !same(in, &odd, ACCOUNTS_PASSWD));
}

static void add_user(const struct accounts_texts *in)
{
	_cleanup_accounts_changed_ struct accounts_changed out = { 0 };
	const struct account_new new = { .name = "new", .hash = "h" };
	struct account added, found;
	struct err e = { 0 };

	if (accounts_add_user(in, &new, 1, &out, &added, &e) < 0) {
		expect(e.errnum && e.text[0]);
		return;
	}
	expect(accounts_find(out.file[ACCOUNTS_PASSWD].data, out.file[ACCOUNTS_PASSWD].len, "new",
			     &found, &e) == 0);
	expect(found.uid == added.uid && found.gid == added.gid && found.uid >= 1000);
}

static void set_hash(const struct accounts_texts *in)
{
	_cleanup_strbuf_ struct strbuf once = { 0 }, twice = { 0 };
	struct err e;

	expect(accounts_set_hash(in->file[1].text, in->file[1].len, "root", "h", 1, &once, &e) ==
	       0);
	expect(accounts_set_hash(once.data, once.len, "root", "h", 1, &twice, &e) == 0);
	expect(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct accounts_texts in = { 0 };
	char *copies[ACCOUNTS_FILES] = { NULL };
	struct account account;
	struct err e;

	for (unsigned int i = 0; i < ACCOUNTS_FILES && size; i++) {
		const uint8_t *end = memchr(data, 0xff, size);
		size_t len = end ? (size_t)(end - data) : size;

		/* Of their own, so that a byte too far is seen. */
		copies[i] = malloc(len ? len : 1);
		expect(copies[i]);
		memcpy(copies[i], data, len);
		in.file[i].text = copies[i];
		in.file[i].len = len;
		data += len + !!end;
		size -= len + !!end;
	}
	(void)accounts_find(in.file[0].text, in.file[0].len, "root", &account, &e);
	remove_users(&in);
	add_user(&in);
	set_hash(&in);
	for (unsigned int i = 0; i < ACCOUNTS_FILES; i++)
		free(copies[i]);
	return 0;
}
