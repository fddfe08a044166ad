/* SPDX-License-Identifier: BSD-3-Clause */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/prmem-nbd/handshake.h"

#define MAGIC_HELLO UINT64_C(0x4e42444d41474943) /* NBDMAGIC */
#define MAGIC_OPTION UINT64_C(0x49484156454f5054) /* IHAVEOPT */
#define MAGIC_OLDSTYLE UINT64_C(0x00420281861253)
#define MAGIC_REPLY UINT64_C(0x3e889045565a9)

#define FLAG_FIXED_NEWSTYLE 1u
#define FLAG_NO_ZEROES 2u

#define OPT_ABORT 2u
#define OPT_INFO 6u
#define OPT_GO 7u

#define REP_ACK 1u
#define REP_INFO 3u
#define REP_FLAG_ERROR (UINT32_C(1) << 31)
#define REP_ERR_UNSUP (REP_FLAG_ERROR + 1)
#define REP_ERR_POLICY (REP_FLAG_ERROR + 2)
#define REP_ERR_TLS_REQD (REP_FLAG_ERROR + 5)
#define REP_ERR_UNKNOWN (REP_FLAG_ERROR + 6)
#define REP_ERR_SHUTDOWN (REP_FLAG_ERROR + 7)

#define INFO_EXPORT 0u
#define INFO_NAME 1u
#define INFO_DESCRIPTION 2u
#define INFO_BLOCK_SIZE 3u

/*
 * No answer that is asked for here is longer: a string of 4096 bytes and its
 * type.  And a server that sends answers without end is not a server.
 */
#define REPLY_MAX 8192u
#define NR_REPLIES_MAX 64

struct talk {
	int fd;
	int64_t deadline_ms;
	struct why *why;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
wait_for(struct talk *t, short events)
{
	struct pollfd p = {.fd = t->fd, .events = events};
	int r;

	do {
		int64_t left = t->deadline_ms - now_ms();

		r = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return why_set(t->why, -errno, "waiting for the server: %s", strerror(errno));
	if (r == 0)
		return why_set(t->why, -ETIMEDOUT, "the server did not answer in time");
	return 0;
}

static int
receive(struct talk *t, void *buf, size_t len)
{
	char *to = buf;

	while (len > 0) {
		ssize_t n;
		int r = wait_for(t, POLLIN);

		if (r < 0)
			return r;
		n = recv(t->fd, to, len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return why_set(t->why, -errno, "reading from the server: %s", strerror(errno));
		if (n == 0)
			return why_set(t->why, -ECONNRESET, "the server closed the connection while negotiating");
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
transmit(struct talk *t, const void *buf, size_t len)
{
	const char *from = buf;

	while (len > 0) {
		ssize_t n;
		int r = wait_for(t, POLLOUT);

		if (r < 0)
			return r;
		n = send(t->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return why_set(t->why, errno == EPIPE ? -ECONNRESET : -errno, "writing to the server: %s",
				       strerror(errno));
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

static void
put16(unsigned char **to, uint16_t v)
{
	v = htobe16(v);
	memcpy(*to, &v, sizeof(v));
	*to += sizeof(v);
}

static void
put32(unsigned char **to, uint32_t v)
{
	v = htobe32(v);
	memcpy(*to, &v, sizeof(v));
	*to += sizeof(v);
}

static void
put64(unsigned char **to, uint64_t v)
{
	v = htobe64(v);
	memcpy(*to, &v, sizeof(v));
	*to += sizeof(v);
}

static uint16_t
get16(const unsigned char *from)
{
	uint16_t v;

	memcpy(&v, from, sizeof(v));
	return be16toh(v);
}

static uint32_t
get32(const unsigned char *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return be32toh(v);
}

static uint64_t
get64(const unsigned char *from)
{
	uint64_t v;

	memcpy(&v, from, sizeof(v));
	return be64toh(v);
}

static int
say_hello(struct talk *t)
{
	unsigned char hello[18], answer[4], *to = answer;
	uint16_t flags;
	int r = receive(t, hello, 16);

	if (r < 0)
		return r;
	if (get64(hello) != MAGIC_HELLO)
		return why_set(t->why, -EPROTO, "what answers there is not an NBD server");
	if (get64(hello + 8) == MAGIC_OLDSTYLE)
		return why_set(t->why, -ENOTSUP,
			       "the server talks only the old style of NBD: start it without that option");
	if (get64(hello + 8) != MAGIC_OPTION)
		return why_set(t->why, -EPROTO, "what answers there is not an NBD server");
	r = receive(t, hello + 16, 2);
	if (r < 0)
		return r;
	flags = get16(hello + 16);
	if (!(flags & FLAG_FIXED_NEWSTYLE))
		return why_set(t->why, -ENOTSUP, "the server is too old: it cannot tell about its exports");
	put32(&to, FLAG_FIXED_NEWSTYLE | (flags & FLAG_NO_ZEROES));
	return transmit(t, answer, sizeof(answer));
}

static int
send_option(struct talk *t, uint32_t option, const void *data, uint32_t len)
{
	unsigned char head[16], *to = head;
	int r;

	put64(&to, MAGIC_OPTION);
	put32(&to, option);
	put32(&to, len);
	r = transmit(t, head, sizeof(head));
	return r < 0 || len == 0 ? r : transmit(t, data, len);
}

static int
send_query(struct talk *t, uint32_t option, const char *name)
{
	uint32_t name_len = (uint32_t)strlen(name);
	unsigned char data[4 + TARGET_EXPORT_MAX + 2 + 6], *to = data;

	if (name_len > TARGET_EXPORT_MAX)
		return why_set(t->why, -EINVAL, "the export's name is longer than %d bytes", TARGET_EXPORT_MAX);
	put32(&to, name_len);
	memcpy(to, name, name_len);
	to += name_len;
	put16(&to, 3);
	put16(&to, INFO_NAME);
	put16(&to, INFO_DESCRIPTION);
	put16(&to, INFO_BLOCK_SIZE);
	return send_option(t, option, data, (uint32_t)(to - data));
}

/* A string of the server's, without what would spoil a terminal. */
static void
take_string(char *to, size_t to_size, const unsigned char *from, size_t len)
{
	size_t i;

	if (len >= to_size)
		len = to_size - 1;
	for (i = 0; i < len; i++)
		to[i] = from[i] < ' ' || from[i] == 127 ? '?' : (char)from[i];
	to[len] = '\0';
}

static int
take_info(struct talk *t, const unsigned char *data, uint32_t len, struct export_info *info, bool *have_export)
{
	if (len < 2)
		return why_set(t->why, -EPROTO, "the server sent an answer that is too short");
	switch (get16(data)) {
	case INFO_EXPORT:
		if (len != 12)
			return why_set(t->why, -EPROTO, "the server described its export in %u bytes, not 12", len);
		info->size_bytes = get64(data + 2);
		info->flags = get16(data + 10);
		*have_export = true;
		break;
	case INFO_NAME:
		take_string(info->name, sizeof(info->name), data + 2, len - 2);
		break;
	case INFO_DESCRIPTION:
		take_string(info->description, sizeof(info->description), data + 2, len - 2);
		break;
	case INFO_BLOCK_SIZE:
		if (len != 14)
			return why_set(t->why, -EPROTO, "the server described its block size in %u bytes, not 14", len);
		info->min_block = get32(data + 2);
		info->max_request = get32(data + 10);
		break;
	default: /* told without having been asked; allowed */
		break;
	}
	return 0;
}

static int
refused(struct talk *t, uint32_t reply, const char *name, const unsigned char *data, uint32_t len)
{
	char text[160];

	take_string(text, sizeof(text), data, len);
	switch (reply) {
	case REP_ERR_UNKNOWN:
		return why_set(t->why, -ENOENT, "the server has no export \"%.64s\"%s%s", name, *text ? ": " : "",
			       text);
	case REP_ERR_UNSUP:
		return why_set(t->why, -ENOTSUP, "the server is too old: it cannot tell about its exports");
	case REP_ERR_TLS_REQD:
		return why_set(t->why, -ENOTSUP, "the server wants TLS, which the kernel's client cannot do");
	case REP_ERR_POLICY:
		return why_set(t->why, -EACCES, "the server refuses export \"%.64s\"%s%s", name, *text ? ": " : "",
			       text);
	case REP_ERR_SHUTDOWN:
		return why_set(t->why, -ECONNRESET, "the server is shutting down");
	default:
		return why_set(t->why, -EPROTO, "the server refuses export \"%.64s\" (code %u)%s%s", name,
			       reply & ~REP_FLAG_ERROR, *text ? ": " : "", text);
	}
}

/* Read the answers to one option until the last of them. */
static int
take_answers(struct talk *t, uint32_t option, const char *name, struct export_info *info)
{
	unsigned char head[20], data[REPLY_MAX];
	bool have_export = false;
	int i;

	for (i = 0; i < NR_REPLIES_MAX; i++) {
		uint32_t reply, len;
		int r = receive(t, head, sizeof(head));

		if (r < 0)
			return r;
		reply = get32(head + 12);
		len = get32(head + 16);
		if (get64(head) != MAGIC_REPLY || get32(head + 8) != option)
			return why_set(t->why, -EPROTO, "the server's answer does not belong to the question");
		if (len > REPLY_MAX)
			return why_set(t->why, -EPROTO, "the server announced an answer of %u bytes", len);
		r = receive(t, data, len);
		if (r < 0)
			return r;
		if (reply & REP_FLAG_ERROR)
			return refused(t, reply, name, data, len);
		if (reply == REP_ACK) {
			if (!have_export)
				return why_set(t->why, -EPROTO, "the server did not tell the size of its export");
			return 0;
		}
		if (reply != REP_INFO)
			return why_set(t->why, -EPROTO, "the server sent an answer of the unknown kind %u", reply);
		r = take_info(t, data, len, info, &have_export);
		if (r < 0)
			return r;
	}
	return why_set(t->why, -EPROTO, "the server answers without end");
}

int
handshake(int fd, const char *export_name, enum handshake_end end, int timeout_ms, struct export_info *ret_info,
	  struct why *why)
{
	struct talk t = {.fd = fd, .deadline_ms = now_ms() + timeout_ms, .why = why};
	uint32_t option = end == HANDSHAKE_GO ? OPT_GO : OPT_INFO;
	struct export_info info = {.min_block = 1};
	int r;

	take_string(info.name, sizeof(info.name), (const unsigned char *)export_name, strlen(export_name));
	r = say_hello(&t);
	if (r == 0)
		r = send_query(&t, option, export_name);
	if (r == 0)
		r = take_answers(&t, option, export_name, &info);
	if (r < 0)
		return r;
	/* The server may hang up before it has read the goodbye; all was said by then. */
	if (end == HANDSHAKE_ASK)
		(void)send_option(&t, OPT_ABORT, NULL, 0);
	*ret_info = info;
	return 0;
}

int
handshake_open(const struct target *target, enum handshake_end end, int timeout_ms, struct export_info *ret_info,
	       struct why *why)
{
	int fd = target_connect(target, timeout_ms, why), r;

	if (fd < 0)
		return fd;
	r = handshake(fd, target->export_name, end, timeout_ms, ret_info, why);
	if (r < 0 || end == HANDSHAKE_ASK) {
		close(fd);
		return r;
	}
	return fd;
}
