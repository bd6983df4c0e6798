/* SPDX-License-Identifier: MIT */
#include "runner/host/image_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/spec_check.h"
#include "runner/spec/spec_value.h"

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

void image_config_free(struct image_config *config)
{
	strvec_free(&config->entrypoint);
	strvec_free(&config->cmd);
	strvec_free(&config->env);
	free(config->user);
	free(config->workdir);
	*config = (struct image_config){ 0 };
}

/* --- one value, wherever it comes from --- */

static int add_word(struct strvec *list, const char *word)
{
	strvec_add(list, word);
	return list->failed ? -ENOMEM : 0;
}

/* What has no value could only be passed on from the caller's environment. */
static int add_env(struct strvec *list, const char *word)
{
	return *word != '=' && strchr(word, '=') ? add_word(list, word) : 0;
}

static int set_text(char **field, const char *value, int (*check)(const char *, struct err *),
		    struct err *e)
{
	char *copy;

	if (!*value)
		return 0;
	if (check(value, e) < 0)
		return -e->errnum;
	copy = strdup(value);
	if (!copy)
		return err_oom(e);
	free(*field);
	*field = copy;
	return 0;
}

static int set_user(struct image_config *c, const char *value, struct err *e)
{
	return set_text(&c->user, value, spec_value_check_user, e);
}

static int set_workdir(struct image_config *c, const char *value, struct err *e)
{
	return set_text(&c->workdir, value, spec_value_check_workdir, e);
}

/* Each member of ours: a list of words or a text. @tag: as packed. */
static const struct member {
	const char *name;
	char tag;
	size_t list; /* offset of a struct strvec */
	int (*add)(struct strvec *list, const char *word);
	size_t text; /* offset of a char * */
	int (*set)(struct image_config *c, const char *value, struct err *e);
} members[] = {
	{ "Entrypoint", 'x', offsetof(struct image_config, entrypoint), add_word, 0, NULL },
	{ "Cmd", 'c', offsetof(struct image_config, cmd), add_word, 0, NULL },
	{ "Env", 'e', offsetof(struct image_config, env), add_env, 0, NULL },
	{ "User", 'u', 0, NULL, offsetof(struct image_config, user), set_user },
	{ "WorkingDir", 'w', 0, NULL, offsetof(struct image_config, workdir), set_workdir },
};

static int take(struct image_config *c, const struct member *m, const char *value, struct err *e)
{
	int r;

	if (m->set)
		return m->set(c, value, e) < 0 ? err_prefix(e, "%s", m->name) : 0;
	r = m->add((struct strvec *)((char *)c + m->list), value);
	return r < 0 ? err_oom(e) : 0;
}

/* --- JSON --- */

static int take_json(struct image_config *c, const struct member *m, const json_t *value,
		     struct err *e)
{
	size_t i;
	json_t *word;
	int r = 0;

	if (!value || json_is_null(value))
		return 0;
	if (m->set)
		return json_is_string(value) ? take(c, m, json_string_value(value), e) :
					       err_msg(e, EINVAL, "%s is no string", m->name);
	if (!json_is_array(value))
		return err_msg(e, EINVAL, "%s is no list", m->name);
	json_array_foreach(value, i, word)
	{
		if (!json_is_string(word))
			return err_msg(e, EINVAL, "%s holds what is no string", m->name);
		r = take(c, m, json_string_value(word), e);
		if (r < 0)
			return r;
	}
	return 0;
}

int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *e)
{
	_cleanup_(cleanup_json) json_t *json = NULL;
	_cleanup_(image_config_free) struct image_config c = { .there = true };
	json_error_t why;
	int r = 0;

	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return err_msg(e, EINVAL, "it is no JSON: line %d: %.200s", why.line, why.text);
	if (!json_is_object(json))
		return err_msg(e, EINVAL, "it is no JSON object");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(members); i++)
		r = take_json(&c, &members[i], json_object_get(json, members[i].name), e);
	if (r < 0)
		return r;
	*ret = c;
	c = (struct image_config){ 0 };
	return 0;
}

int image_config_read(int root_fd, struct image_config *ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fs_read_regular(root_fd, IMAGE_CONFIG_PATH, IMAGE_CONFIG_MAX, &text, &len);

	if (r == -ENOENT || r == -ENOTDIR) {
		*ret = (struct image_config){ 0 };
		return 0;
	}
	if (r < 0)
		return err_errno(e, -r, "cannot read /%s", IMAGE_CONFIG_PATH);
	r = image_config_parse(text, len, ret, e);
	return r < 0 ? err_prefix(e, "/%s", IMAGE_CONFIG_PATH) : 0;
}

/* --- between processes: a letter and a string each --- */

static void pack(struct strbuf *out, char tag, const char *value)
{
	strbuf_putc(out, tag);
	strbuf_add(out, value, strlen(value) + 1);
}

void image_config_pack(const struct image_config *config, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct member *m = &members[i];
		const struct strvec *list = (const struct strvec *)((const char *)config + m->list);
		char *const *text = (char *const *)((const char *)config + m->text);

		for (size_t j = 0; !m->set && j < list->n; j++)
			pack(out, m->tag, list->v[j]);
		if (m->set && *text)
			pack(out, m->tag, *text);
	}
}

static const struct member *member_of(char tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].tag == tag)
			return &members[i];
	return NULL;
}

int image_config_unpack(const char *data, size_t len, struct image_config *ret, struct err *e)
{
	_cleanup_(image_config_free) struct image_config c = { .there = true };

	while (len) {
		const struct member *m = member_of(*data);
		const char *end = memchr(data, '\0', len);
		int r;

		if (!m || !end)
			return err_msg(e, EPROTO, "the jail told nonsense of the image's defaults");
		r = take(&c, m, data + 1, e);
		if (r < 0)
			return r;
		len -= (size_t)(end + 1 - data);
		data = end + 1;
	}
	*ret = c;
	c = (struct image_config){ 0 };
	return 0;
}

/* --- with what was asked --- */

static void add_all(struct strvec *to, const struct strvec *from)
{
	for (size_t i = 0; i < from->n; i++)
		strvec_add(to, from->v[i]);
}

int image_config_complete(const struct vm_spec *asked, const struct image_config *config,
			  struct vm_spec *ret, struct err *e)
{
	struct vm_spec s = *asked;
	int r;

	s.command = s.env = (struct strvec){ 0 };
	if (!asked->entrypoint)
		add_all(&s.command, &config->entrypoint);
	else if (*asked->entrypoint)
		strvec_add(&s.command, asked->entrypoint);
	if (asked->command.n)
		add_all(&s.command, &asked->command);
	else if (!asked->entrypoint)
		add_all(&s.command, &config->cmd);
	add_all(&s.env, &config->env);
	add_all(&s.env, &asked->env);
	if (!s.user)
		s.user = config->user;
	if (!s.workdir)
		s.workdir = config->workdir;
	/* Together they may be more than a kernel takes. */
	r = s.command.failed || s.env.failed ? err_oom(e) : spec_check(&s, e);
	if (r < 0) {
		image_config_completed_free(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void image_config_completed_free(struct vm_spec *completed)
{
	strvec_free(&completed->command);
	strvec_free(&completed->env);
}
