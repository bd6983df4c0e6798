/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/conf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HOSTNAME_MAX 64 /* the kernel's __NEW_UTS_LEN */

static int take_seed(struct conf *c, const uint8_t *p, size_t len)
{
	memcpy(c->seed, p, len);
	c->seed_len = len;
	return 0;
}

static int take_clock(struct conf *c, const uint8_t *p, size_t len)
{
	(void)len;
	c->clock_ns = proto_get64(p);
	return c->clock_ns <= INT64_MAX ? 0 : -EPROTO;
}

static int take_cache(const uint8_t *p, enum proto_cache *ret)
{
	uint32_t cache = proto_get32(p);

	if (cache > PROTO_CACHE_LOOSE)
		return -EPROTO;
	*ret = (enum proto_cache)cache;
	return 0;
}

static int take_root(struct conf *c, const uint8_t *p, size_t len)
{
	uint32_t mode = proto_get32(p);

	(void)len;
	if (mode > PROTO_ROOT_EPHEMERAL)
		return -EPROTO;
	c->root_mode = (enum proto_root_mode)mode;
	return take_cache(p + 4, &c->root_cache);
}

static int take_string(const uint8_t *p, size_t len, char **ret)
{
	char *s;

	if (memchr(p, '\0', len))
		return -EPROTO;
	s = malloc(len + 1);
	if (!s)
		return -ENOMEM;
	memcpy(s, p, len);
	s[len] = '\0';
	*ret = s;
	return 0;
}

static int take_path(const uint8_t *p, size_t len, char **ret)
{
	char *path, *dots;
	int r;

	if (len >= PATH_MAX || p[0] != '/' || p[len - 1] == '/')
		return -EPROTO;
	r = take_string(p, len, &path);
	if (r < 0)
		return r;
	for (dots = strstr(path, "/.."); dots; dots = strstr(dots + 1, "/.."))
		if (dots[3] == '/' || dots[3] == '\0') {
			free(path);
			return -EPROTO;
		}
	*ret = path;
	return 0;
}

static int take_volume(struct conf *c, const uint8_t *p, size_t len)
{
	struct conf_volume *v = &c->volumes[c->n_volumes];
	enum proto_cache cache;
	int r = take_cache(p + 8, &cache);

	if (r < 0)
		return r;
	if (c->n_volumes == CONF_VOLUMES_MAX || (c->n_volumes && cache != c->volume_cache) ||
	    proto_get32(p + 4) > 1)
		return -EPROTO;
	r = take_path(p + 12, len - 12, &v->dst);
	if (r < 0)
		return r;
	v->index = proto_get32(p);
	v->read_only = proto_get32(p + 4);
	c->volume_cache = cache;
	c->n_volumes++;
	return 0;
}

static int take_hostname(struct conf *c, const uint8_t *p, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";

	/* It becomes a line of /etc/hosts. */
	for (size_t i = 0; i < len; i++)
		if (!memchr(allowed, p[i], sizeof(allowed) - 1))
			return -EPROTO;
	return take_string(p, len, &c->hostname);
}

static int take_network(struct conf *c, const uint8_t *p, size_t len)
{
	(void)len;
	c->network = proto_get32(p) == 1;
	return proto_get32(p) <= 1 ? 0 : -EPROTO;
}

static int take_user(struct conf *c, const uint8_t *p, size_t len)
{
	return take_string(p, len, &c->user);
}

static int take_workdir(struct conf *c, const uint8_t *p, size_t len)
{
	if (len >= PATH_MAX || p[0] != '/')
		return -EPROTO;
	return take_string(p, len, &c->workdir);
}

static int strings_add(struct strings *s, size_t max, const uint8_t *p, size_t len)
{
	int r;

	if (s->n == max)
		return -EPROTO;
	if (s->n + 1 >= s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		char **v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->cap = cap;
		s->v[s->n] = NULL;
	}
	r = take_string(p, len, &s->v[s->n]);
	if (r < 0)
		return r;
	s->v[++s->n] = NULL;
	return 0;
}

static int take_env(struct conf *c, const uint8_t *p, size_t len)
{
	const uint8_t *equals = memchr(p, '=', len);

	if (!equals || equals == p)
		return -EPROTO;
	return strings_add(&c->env, CONF_ENV_MAX, p, len);
}

static int take_arg(struct conf *c, const uint8_t *p, size_t len)
{
	return strings_add(&c->args, CONF_ARGS_MAX, p, len);
}

static int take_tty(struct conf *c, const uint8_t *p, size_t len)
{
	(void)len;
	c->tty = true;
	c->rows = proto_get16(p);
	c->columns = proto_get16(p + 2);
	return 0;
}

#define VALUE_MAX (PROTO_MAX_PAYLOAD - 2)

static const struct {
	const char *name;
	size_t min, max; /* bytes of the value */
	bool repeated;
	bool needed;
	int (*take)(struct conf *c, const uint8_t *value, size_t len);
} keys[PROTO_KEY_MAX + 1] = {
	[PROTO_KEY_SEED] = { "SEED", CONF_SEED_MIN, CONF_SEED_MAX, false, true, take_seed },
	[PROTO_KEY_CLOCK] = { "CLOCK", 8, 8, false, true, take_clock },
	[PROTO_KEY_ROOT] = { "ROOT", 8, 8, false, true, take_root },
	[PROTO_KEY_VOLUME] = { "VOLUME", 13, VALUE_MAX, true, false, take_volume },
	[PROTO_KEY_HOSTNAME] = { "HOSTNAME", 1, HOSTNAME_MAX, false, false, take_hostname },
	[PROTO_KEY_NETWORK] = { "NETWORK", 4, 4, false, false, take_network },
	[PROTO_KEY_USER] = { "USER", 1, 512, false, false, take_user },
	[PROTO_KEY_WORKDIR] = { "WORKDIR", 1, VALUE_MAX, false, false, take_workdir },
	[PROTO_KEY_ENV] = { "ENV", 2, VALUE_MAX, true, false, take_env },
	[PROTO_KEY_ARG] = { "ARG", 0, VALUE_MAX, true, false, take_arg },
	[PROTO_KEY_TTY] = { "TTY", 4, 4, false, false, take_tty },
};

int conf_add(struct conf *c, const uint8_t *payload, size_t len, struct fail *f)
{
	uint16_t key = len >= 2 ? proto_get16(payload) : 0;
	int r = -EPROTO;

	if (key == 0 || key > PROTO_KEY_MAX)
		return fail_text(f, EPROTO, "vmrun sent a setting that its guest does not know");
	c->received += len;
	len -= 2;
	if (c->received <= PROTO_MAX_CONF && len >= keys[key].min && len <= keys[key].max &&
	    (keys[key].repeated || !(c->seen & 1u << key)))
		r = keys[key].take(c, payload + 2, len);
	if (r == -ENOMEM)
		return fail_text(f, ENOMEM,
				 "out of memory for the settings; give the guest more "
				 "with -m");
	if (r < 0)
		return fail_text(f, EPROTO, "vmrun sent a wrong setting %s", keys[key].name);
	c->seen |= 1u << key;
	return 0;
}

int conf_check(const struct conf *c, struct fail *f)
{
	for (unsigned int key = 1; key <= PROTO_KEY_MAX; key++)
		if (keys[key].needed && !(c->seen & 1u << key))
			return fail_text(f, EPROTO, "vmrun sent no setting %s", keys[key].name);
	return 0;
}

static void strings_free(struct strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

void conf_free(struct conf *c)
{
	for (size_t i = 0; i < c->n_volumes; i++)
		free(c->volumes[i].dst);
	free(c->hostname);
	free(c->user);
	free(c->workdir);
	strings_free(&c->env);
	strings_free(&c->args);
	*c = (struct conf){ 0 };
}
