/* SPDX-License-Identifier: MIT */
#include "runner/spec/spec_check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Debian's kernel with its initramfs and a small program starts in this. */
#define MEMORY_MIN ((uint64_t)64 << 20)
#define MEMORY_MAX ((uint64_t)1 << 40) /* what 40 bits of physical address can hold */

/*
 * A kernel takes a quarter of the stack's limit for these, 2 MiB; so what is more
 * would only be refused later, in the guest.
 */
#define STRINGS_MAX ((size_t)2 << 20)

static int check_machine(const struct vm_spec *spec, struct err *e)
{
	if (spec->memory < MEMORY_MIN)
		return err_msg(e, EINVAL,
			       "--memory: %" PRIu64 " MiB is too little for a kernel to boot; "
			       "give 64m or more",
			       spec->memory >> 20);
	if (spec->memory > MEMORY_MAX)
		return err_msg(e, EINVAL,
			       "--memory: %" PRIu64 " MiB is more than a guest can have; give 1t "
			       "or less",
			       spec->memory >> 20);
	if (spec->cpus > SPEC_CPUS_MAX)
		return err_msg(e, EINVAL, "--cpus: %u is more than %u", spec->cpus, SPEC_CPUS_MAX);
	return 0;
}

/* Whether a mount at @dst hides what is at @other. */
static bool covers(const char *dst, const char *other)
{
	size_t len = strlen(dst);

	return !strncmp(dst, other, len) && (other[len] == '/' || other[len] == '\0');
}

static int check_volumes(const struct vm_spec *spec, struct err *e)
{
	/* The guest mounts them in this order. */
	for (unsigned int i = 0; i < spec->n_volumes; i++)
		for (unsigned int j = 0; j < i; j++) {
			const struct volume *late = &spec->volumes[i], *early = &spec->volumes[j];

			if (!covers(late->dst, early->dst))
				continue;
			if (!strcmp(late->dst, early->dst))
				return err_msg(e, EINVAL,
					       "--volume: '%.200s' and '%.200s' are both to be at "
					       "'%.200s'; choose two places",
					       early->src, late->src, late->dst);
			return err_msg(e, EINVAL,
				       "--volume: '%.200s' would be hidden below '%.200s'; give "
				       "the "
				       "outer volume first",
				       early->dst, late->dst);
		}
	return 0;
}

static bool any_address(const struct port_forward *p)
{
	return !strcmp(p->host_ip, "0.0.0.0");
}

static bool same_host_port(const struct port_forward *a, const struct port_forward *b)
{
	return a->udp == b->udp && a->host_port == b->host_port &&
	       (any_address(a) || any_address(b) || !strcmp(a->host_ip, b->host_ip));
}

static int check_ports(const struct vm_spec *spec, struct err *e)
{
	if (spec->n_ports && spec->network == NET_NONE)
		return err_msg(e, EINVAL,
			       "--publish needs a network and --network=none gives none; leave "
			       "one of them out");
	for (unsigned int i = 0; i < spec->n_ports; i++)
		for (unsigned int j = 0; j < i; j++)
			if (same_host_port(&spec->ports[i], &spec->ports[j]))
				return err_msg(e, EINVAL,
					       "--publish: %s port %u of the host is forwarded "
					       "twice, to %u and %u; choose two ports",
					       spec->ports[i].udp ? "UDP" : "TCP",
					       spec->ports[i].host_port, spec->ports[j].guest_port,
					       spec->ports[i].guest_port);
	return 0;
}

static size_t strings_size(const struct strvec *v)
{
	size_t size = 0;

	for (size_t i = 0; i < v->n; i++)
		size += strlen(v->v[i]) + 1 + sizeof(char *);
	return size;
}

static int check_strings(const struct vm_spec *spec, struct err *e)
{
	size_t size = strings_size(&spec->command) + strings_size(&spec->env);

	if (size > STRINGS_MAX)
		return err_msg(e, EINVAL,
			       "the command and its environment take %zu KiB, and a kernel passes "
			       "on 2048; hand data over by stdin or a volume",
			       size >> 10);
	return 0;
}

int spec_check(const struct vm_spec *spec, struct err *e)
{
	static int (*const checks[])(const struct vm_spec *, struct err *) = {
		check_machine,
		check_volumes,
		check_ports,
		check_strings,
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int r = checks[i](spec, e);

		if (r < 0)
			return r;
	}
	return 0;
}
