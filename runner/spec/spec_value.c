/* SPDX-License-Identifier: MIT */
#include "runner/spec/spec_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/parse.h"

#define VOLUMES_MAX 256
#define PORTS_MAX 256
#define NAME_LEN_MAX 63
#define HOSTNAME_LEN_MAX 64 /* HOST_NAME_MAX */
#define LABEL_LEN_MAX 63
#define USER_LEN_MAX 255
#define APPEND_LEN_MAX 1024

int spec_value_bad(const char *value, const char *reason, struct err *e)
{
	/* Cut, so that a long value does not push the reason out. */
	return err_msg(e, EINVAL, "'%.200s'%s %s", value, strlen(value) > 200 ? " (cut)" : "",
		       reason);
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/*
 * "//", "/./" and a "/" at the end say nothing; ".." is refused rather than
 * resolved, because what it means depends on symlinks in the guest.
 */
static char *normalise_dst(const char *path)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && !strncmp(path, "..", 2))
			return NULL;
		if (len > 0 && !(len == 1 && *path == '.')) {
			strbuf_putc(&b, '/');
			strbuf_add(&b, path, len);
		}
		path += len;
		path += strspn(path, "/");
	}
	return b.len ? strbuf_steal(&b) : NULL;
}

/*
 * SRC:DST[:ro|:rw], taken apart from its end, so that SRC may hold colons: what
 * follows the last one is either DST, which begins with "/", or the mode.
 */
static int split_volume(char *value, const char *whole, struct volume *ret, struct err *e)
{
	char *last = strrchr(value, ':');
	bool read_only = false;

	if (last && last[1] != '/') {
		if (strcmp(last, ":ro") && strcmp(last, ":rw"))
			return spec_value_bad(whole,
					      "does not end in an absolute path, :ro or :rw; give "
					      "SRC:DST[:ro|:rw]",
					      e);
		read_only = !strcmp(last, ":ro");
		*last = '\0';
		last = strrchr(value, ':');
	}
	if (!last || last == value || last[1] != '/')
		return spec_value_bad(whole,
				      "names no volume; give SRC:DST[:ro|:rw] with SRC on the host "
				      "and DST an absolute path in the guest",
				      e);
	*last = '\0';
	*ret = (struct volume){ .src = value, .dst = last + 1, .read_only = read_only };
	return 0;
}

int spec_value_volume(struct vm_spec *spec, const char *value, struct err *e)
{
	_cleanup_free_ char *copy = strdup(value), *src = NULL, *dst = NULL;
	struct volume v = { 0 }, *grown;
	int r;

	if (!copy)
		return err_oom(e);
	if (spec->n_volumes == VOLUMES_MAX)
		return err_msg(e, EINVAL, "more than %d volumes", VOLUMES_MAX);
	r = split_volume(copy, value, &v, e);
	if (r < 0)
		return r;
	if (strlen(v.src) >= PATH_MAX || strlen(v.dst) >= PATH_MAX)
		return spec_value_bad(value, "holds a path that is too long", e);
	src = strdup(v.src);
	dst = normalise_dst(v.dst);
	if (!dst)
		return spec_value_bad(value,
				      "would be mounted over / or by way of ..; DST is a directory "
				      "or file below /, without ..",
				      e);
	grown = reallocarray(spec->volumes, spec->n_volumes + 1, sizeof(*grown));
	if (!src || !grown)
		return err_oom(e);
	spec->volumes = grown;
	grown[spec->n_volumes++] = (struct volume){
		.src = steal_ptr(src),
		.dst = steal_ptr(dst),
		.read_only = v.read_only,
	};
	return 0;
}

/* Return: 0, or -EINVAL if the words are no options. */
static int parse_disk_options(const char *words, struct disk *disk)
{
	static const struct {
		const char *word;
		bool sets_mode;
		bool read_only;
		enum disk_format format;
	} known[] = {
		{ "ro", true, true, DISK_AUTO },
		{ "rw", true, false, DISK_AUTO },
		{ "raw", false, false, DISK_RAW },
		{ "qcow2", false, false, DISK_QCOW2 },
	};
	bool has_mode = false;

	for (size_t len; len = strcspn(words, ","), true; words += len + 1) {
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && (strlen(known[i].word) != len ||
						 strncmp(known[i].word, words, len) != 0))
			i++;
		if (i == ARRAY_SIZE(known) || (known[i].sets_mode ? has_mode : disk->format))
			return -EINVAL;
		if (known[i].sets_mode) {
			has_mode = true;
			disk->read_only = known[i].read_only;
		} else {
			disk->format = known[i].format;
		}
		if (!words[len])
			return 0;
	}
}

int spec_value_disk(struct vm_spec *spec, const char *value, struct err *e)
{
	_cleanup_free_ char *src = strdup(value);
	struct disk disk = { 0 };
	char *last;

	if (!src)
		return err_oom(e);
	if (spec->n_disks == DISKS_MAX)
		return err_msg(e, EINVAL, "more than %d disks", DISKS_MAX);
	last = strrchr(src, ':');
	if (last && !strchr(last, '/')) {
		if (parse_disk_options(last + 1, &disk) < 0)
			return spec_value_bad(value,
					      "does not end in options of a disk: ro or rw, raw or "
					      "qcow2, such as disk.img:ro,raw (a colon in a name: "
					      "add :rw)",
					      e);
		*last = '\0';
	}
	if (!*src || strlen(src) >= PATH_MAX)
		return spec_value_bad(value, "names no disk image; give FILE[:ro|:rw]", e);
	disk.src = steal_ptr(src);
	spec->disks[spec->n_disks++] = disk;
	return 0;
}

static int parse_port(const char *s, uint16_t *ret)
{
	uint64_t port;
	int r = parse_uint(s, 1, 65535, &port);

	if (r == 0)
		*ret = (uint16_t)port;
	return r;
}

/* @value is cut up. */
static int split_port(char *value, struct port_forward *ret)
{
	struct port_forward p = { .host_ip = "127.0.0.1" };
	char *proto = strchr(value, '/'), *guest, *host;
	struct in_addr ip;

	if (proto) {
		*proto++ = '\0';
		p.udp = !strcmp(proto, "udp");
		if (!p.udp && strcmp(proto, "tcp"))
			return -EINVAL;
	}
	guest = strrchr(value, ':');
	if (!guest) {
		if (parse_port(value, &p.guest_port) < 0)
			return -EINVAL;
		p.host_port = p.guest_port;
		*ret = p;
		return 0;
	}
	*guest++ = '\0';
	host = strrchr(value, ':');
	if (host) {
		*host++ = '\0';
		if (inet_pton(AF_INET, value, &ip) != 1 ||
		    !inet_ntop(AF_INET, &ip, p.host_ip, sizeof(p.host_ip)))
			return -EINVAL;
	} else {
		host = value;
	}
	if (parse_port(guest, &p.guest_port) < 0 || parse_port(host, &p.host_port) < 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

int spec_value_port(struct vm_spec *spec, const char *value, struct err *e)
{
	struct port_forward p, *grown;
	char copy[64];

	if (spec->n_ports == PORTS_MAX)
		return err_msg(e, EINVAL, "more than %d ports", PORTS_MAX);
	if ((size_t)snprintf(copy, sizeof(copy), "%s", value) >= sizeof(copy) ||
	    split_port(copy, &p) < 0)
		return spec_value_bad(value,
				      "is no port to forward; give [[IP:]HOST:]GUEST[/tcp|/udp] "
				      "with ports from 1 to 65535 and an IPv4 address, such as "
				      "8080:80 or 0.0.0.0:5353:53/udp",
				      e);
	grown = reallocarray(spec->ports, spec->n_ports + 1, sizeof(*grown));
	if (!grown)
		return err_oom(e);
	spec->ports = grown;
	grown[spec->n_ports++] = p;
	return 0;
}

int spec_value_network(struct vm_spec *spec, const char *value, struct err *e)
{
	static const struct {
		const char *words;
		enum net_mode mode;
		bool host_loopback;
	} modes[] = {
		{ "auto", NET_AUTO, false },
		{ "none", NET_NONE, false },
		{ "user", NET_USER, false },
		{ "user,host-loopback", NET_USER, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(modes[i].words, value)) {
			spec->network = modes[i].mode;
			spec->host_loopback = modes[i].host_loopback;
			return 0;
		}
	}
	return spec_value_bad(value, "is none of auto, none, user and user,host-loopback", e);
}

/* @s is cut up. */
static int parse_extent(char *s, struct id_extent *ret)
{
	char *host = strchr(s, ':'), *count = host ? strchr(host + 1, ':') : NULL;
	uint64_t v[3];

	if (!count)
		return -EINVAL;
	*host++ = *count++ = '\0';
	if (parse_uint(s, 0, UINT32_MAX - 1, &v[0]) < 0 ||
	    parse_uint(host, 0, UINT32_MAX - 1, &v[1]) < 0 ||
	    parse_uint(count, 1, UINT32_MAX, &v[2]) < 0)
		return -EINVAL;
	*ret = (struct id_extent){ (uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2] };
	return 0;
}

int spec_idmap_parse(const char *value, enum idmap_kind *ret_kind, struct id_map *ret_map,
		     struct err *e)
{
	static const char *const kinds[] = {
		[IDMAP_AUTO] = "auto",
		[IDMAP_CALLER] = "caller",
		[IDMAP_SUBID] = "subid",
		[IDMAP_SINGLE] = "single",
	};
	_cleanup_free_ char *copy = strdup(value);
	struct id_map map = { 0 };
	char *rest = copy, *part;

	if (!copy)
		return err_oom(e);
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(value, kinds[i]))
			continue;
		*ret_kind = i;
		return 0;
	}
	while ((part = strsep(&rest, ","))) {
		if (map.n == ID_MAP_MAX)
			return err_msg(e, EINVAL, "more than %d extents", ID_MAP_MAX);
		if (parse_extent(part, &map.e[map.n++]) < 0)
			return spec_value_bad(value,
					      "is no id map; give auto, caller, subid, single or "
					      "GUEST:HOST:COUNT[,...]",
					      e);
	}
	*ret_kind = IDMAP_EXPLICIT;
	*ret_map = map;
	return 0;
}

int spec_value_idmap(struct vm_spec *spec, const char *value, struct err *e)
{
	return spec_idmap_parse(value, &spec->idmap, &spec->idmap_explicit, e);
}

int spec_value_check_path(const char *value, struct err *e)
{
	if (!*value || strlen(value) >= PATH_MAX)
		return spec_value_bad(value, "is no path", e);
	return 0;
}

int spec_value_check_workdir(const char *value, struct err *e)
{
	if (value[0] != '/' || strlen(value) >= PATH_MAX)
		return spec_value_bad(value, "is no absolute path in the guest", e);
	return 0;
}

int spec_value_check_user(const char *value, struct err *e)
{
	size_t len = strlen(value), user = strcspn(value, ":");
	bool ok = user > 0 && len <= USER_LEN_MAX;

	if (ok && value[user] == ':')
		ok = value[user + 1] && !strchr(value + user + 1, ':');
	for (size_t i = 0; ok && i < len; i++)
		ok = (unsigned char)value[i] > 0x20 && value[i] != 0x7f && value[i] != '/';
	if (!ok)
		return spec_value_bad(value, "is no user; give USER[:GROUP], names or numbers", e);
	return 0;
}

int spec_value_check_entrypoint(const char *value, struct err *e)
{
	if (strlen(value) >= PATH_MAX)
		return spec_value_bad(value, "is too long for a program's name", e);
	return 0;
}

int spec_value_check_name(const char *value, struct err *e)
{
	size_t len = strlen(value);
	bool ok = is_alnum(value[0]) && len <= NAME_LEN_MAX;

	for (size_t i = 0; ok && i < len; i++)
		ok = is_alnum(value[i]) || strchr("_.-", value[i]);
	if (!ok)
		return spec_value_bad(value,
				      "is no name; give 1 to 63 of A-Z a-z 0-9 _ . -, beginning "
				      "with a letter or digit",
				      e);
	return 0;
}

static bool is_hostname(const char *s)
{
	if (strlen(s) > HOSTNAME_LEN_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(s, ".");

		if (len == 0 || len > LABEL_LEN_MAX || s[0] == '-' || s[len - 1] == '-')
			return false;
		for (size_t i = 0; i < len; i++)
			if (!is_alnum(s[i]) && s[i] != '-')
				return false;
		if (!s[len])
			return true;
		s += len + 1;
	}
}

int spec_value_check_hostname(const char *value, struct err *e)
{
	if (!is_hostname(value))
		return spec_value_bad(value,
				      "is no host name; give labels of A-Z a-z 0-9 and - joined by "
				      "dots, 64 characters at most",
				      e);
	return 0;
}

int spec_value_check_append(const char *value, struct err *e)
{
	size_t len = strlen(value);
	bool ok = len <= APPEND_LEN_MAX;

	for (size_t i = 0; ok && i < len; i++)
		ok = value[i] >= 0x20 && value[i] < 0x7f;
	if (!ok)
		return spec_value_bad(value,
				      "is no kernel command line; give at most 1024 printable "
				      "ASCII characters",
				      e);
	return 0;
}
