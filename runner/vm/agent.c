/* SPDX-License-Identifier: MIT */
#include "runner/vm/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

#define SEED_BYTES 64

int agent_init(struct agent *agent, int fd, struct err *e)
{
	*agent = (struct agent){ .fd = fd };
	if (proto_reader_init(&agent->reader) < 0)
		return err_oom(e);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(e, errno, "cannot prepare the agent's socket");
	return 0;
}

void agent_free(struct agent *agent)
{
	cleanup_close(&agent->fd);
	proto_reader_free(&agent->reader);
	strbuf_free(&agent->tx);
}

void agent_send(struct agent *agent, enum proto_type type, enum proto_stream stream,
		const void *payload, uint32_t len)
{
	uint8_t header[PROTO_HEADER_SIZE];

	proto_header(header, (uint16_t)type, (uint16_t)stream, len);
	strbuf_add(&agent->tx, header, sizeof(header));
	strbuf_add(&agent->tx, payload, len);
}

void agent_send_u32(struct agent *agent, enum proto_type type, enum proto_stream stream,
		    uint32_t value)
{
	uint8_t buf[4];

	proto_put32(buf, value);
	agent_send(agent, type, stream, buf, sizeof(buf));
}

static void put_size(uint8_t buf[4], const struct winsize *size)
{
	proto_put16(buf, size->ws_row);
	proto_put16(buf + 2, size->ws_col);
}

void agent_send_resize(struct agent *agent, const struct winsize *size)
{
	uint8_t buf[4];

	put_size(buf, size);
	agent_send(agent, PROTO_RESIZE, PROTO_STDIN, buf, sizeof(buf));
}

size_t agent_backlog(const struct agent *agent)
{
	return agent->tx.len;
}

int agent_flush(struct agent *agent)
{
	if (agent->tx.failed)
		return -ENOMEM;
	while (agent->tx.len) {
		ssize_t n = send(agent->fd, agent->tx.data, agent->tx.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		strbuf_consume(&agent->tx, (size_t)n);
	}
	return 0;
}

int agent_fill(struct agent *agent)
{
	uint8_t *to;
	size_t room = proto_reader_space(&agent->reader, &to);
	ssize_t n = read(agent->fd, to, room);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : errno == ECONNRESET ? 0 : -errno;
	proto_reader_commit(&agent->reader, (size_t)n);
	return n > 0;
}

int agent_next(struct agent *agent, struct proto_frame *ret)
{
	return proto_reader_next(&agent->reader, ret);
}

/* A CONF frame: the key, @n numbers, then @len bytes. */
static void send_conf(struct agent *agent, enum proto_key key, const uint32_t *numbers, size_t n,
		      const void *data, size_t len)
{
	uint8_t head[PROTO_HEADER_SIZE + 2 + 4 * 4], *p = head + PROTO_HEADER_SIZE;

	proto_put16(p, (uint16_t)key);
	p += 2;
	for (size_t i = 0; i < n; i++, p += 4)
		proto_put32(p, numbers[i]);
	proto_header(head, PROTO_CONF, 0, (uint32_t)(2 + 4 * n + len));
	strbuf_add(&agent->tx, head, (size_t)(p - head));
	strbuf_add(&agent->tx, data, len);
}

static void send_text(struct agent *agent, enum proto_key key, const char *text)
{
	send_conf(agent, key, NULL, 0, text, strlen(text));
}

/* What every guest has anew, whatever state it was started from. */
static int send_freshness(struct agent *agent, struct err *e)
{
	uint8_t seed[SEED_BYTES], clock[8];
	struct timespec now;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return err_errno(e, errno, "cannot get random bytes for the guest");
	send_conf(agent, PROTO_KEY_SEED, NULL, 0, seed, sizeof(seed));
	clock_gettime(CLOCK_REALTIME, &now);
	proto_put64(clock, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	send_conf(agent, PROTO_KEY_CLOCK, NULL, 0, clock, sizeof(clock));
	return 0;
}

static uint32_t wire_cache(enum cache_policy cache)
{
	return cache == CACHE_NONE  ? PROTO_CACHE_NONE :
	       cache == CACHE_LOOSE ? PROTO_CACHE_LOOSE :
				      PROTO_CACHE_MMAP;
}

static void send_file_systems(struct agent *agent, const struct vm_plan *plan)
{
	static const uint32_t modes[] = { [ROOT_RW] = PROTO_ROOT_RW,
					  [ROOT_READ_ONLY] = PROTO_ROOT_RO,
					  [ROOT_EPHEMERAL] = PROTO_ROOT_EPHEMERAL };
	const struct vm_spec *spec = plan->in.spec;
	uint32_t root[] = { modes[spec->root_mode], wire_cache(plan->root_cache) };

	send_conf(agent, PROTO_KEY_ROOT, root, 2, NULL, 0);
	for (unsigned int i = 0; i < spec->n_volumes; i++) {
		const struct volume *v = &spec->volumes[i];
		uint32_t n[] = { i, v->read_only, wire_cache(plan->volume_cache) };

		send_conf(agent, PROTO_KEY_VOLUME, n, 3, v->dst, strlen(v->dst));
	}
}

static void send_command(struct agent *agent, const struct vm_plan *plan,
			 const struct winsize *tty)
{
	const struct vm_spec *spec = plan->in.spec;
	const char *term = getenv("TERM");
	uint8_t size[4];
	char env[128];

	if (spec->user)
		send_text(agent, PROTO_KEY_USER, spec->user);
	if (spec->workdir)
		send_text(agent, PROTO_KEY_WORKDIR, spec->workdir);
	if (tty) {
		put_size(size, tty);
		send_conf(agent, PROTO_KEY_TTY, NULL, 0, size, sizeof(size));
		snprintf(env, sizeof(env), "TERM=%s", term && strlen(term) < 64 ? term : "linux");
		send_text(agent, PROTO_KEY_ENV, env);
	}
	for (size_t i = 0; i < spec->env.n; i++)
		send_text(agent, PROTO_KEY_ENV, spec->env.v[i]);
	for (size_t i = 0; i < spec->command.n; i++)
		send_text(agent, PROTO_KEY_ARG, spec->command.v[i]);
}

static int check_strings(const struct strvec *list, const char *what, struct err *e)
{
	for (size_t i = 0; i < list->n; i++)
		if (strlen(list->v[i]) > PROTO_MAX_PAYLOAD - 2)
			return err_msg(e, E2BIG, "%s is longer than the %u KiB that Linux allows",
				       what, 128u);
	return 0;
}

int agent_start_run(struct agent *agent, const struct vm_plan *plan, const struct winsize *tty,
		    struct err *e)
{
	uint32_t network = 1;
	int r;

	r = check_strings(&plan->in.spec->command, "an argument", e);
	if (r < 0)
		return r;
	r = check_strings(&plan->in.spec->env, "an environment variable", e);
	if (r < 0)
		return r;
	r = send_freshness(agent, e);
	if (r < 0)
		return r;
	send_file_systems(agent, plan);
	send_text(agent, PROTO_KEY_HOSTNAME, plan->hostname);
	if (plan->network == NET_USER)
		send_conf(agent, PROTO_KEY_NETWORK, &network, 1, NULL, 0);
	send_command(agent, plan, tty);
	if (agent->tx.len > PROTO_MAX_CONF)
		return err_msg(e, E2BIG, "arguments and environment are longer than %u MiB",
			       PROTO_MAX_CONF >> 20);
	agent_send(agent, PROTO_RUN, 0, NULL, 0);
	return agent->tx.failed ? err_oom(e) : 0;
}
