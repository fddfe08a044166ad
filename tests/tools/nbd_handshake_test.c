/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handshake against servers that keep to the protocol, that do not, and
 * that send anything at all.  A server is a thread that writes prepared bytes
 * to one end of a socket pair and swallows what comes.
 */
#include <endian.h>
#include <errno.h>
#include <linux/nbd.h>
#include <pthread.h>
#include <sys/socket.h>

#include "tests/unit/unit.h"
#include "tools/prmem-nbd/handshake.h"

struct script {
	unsigned char bytes[65536];
	size_t len;
};

static void
add(struct script *s, const void *bytes, size_t len)
{
	CHECK(s->len + len <= sizeof(s->bytes));
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}

static void
add16(struct script *s, uint16_t v)
{
	v = htobe16(v);
	add(s, &v, sizeof(v));
}

static void
add32(struct script *s, uint32_t v)
{
	v = htobe32(v);
	add(s, &v, sizeof(v));
}

static void
add64(struct script *s, uint64_t v)
{
	v = htobe64(v);
	add(s, &v, sizeof(v));
}

static void
add_hello(struct script *s)
{
	add(s, "NBDMAGICIHAVEOPT", 16);
	add16(s, 3);
}

static void
add_reply(struct script *s, uint32_t option, uint32_t reply, uint32_t len)
{
	add64(s, UINT64_C(0x3e889045565a9));
	add32(s, option);
	add32(s, reply);
	add32(s, len);
}

static void
add_export(struct script *s, uint32_t option, uint64_t size)
{
	add_reply(s, option, 3, 12);
	add16(s, 0);
	add64(s, size);
	add16(s, NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_CAN_MULTI_CONN);
}

static void
add_text(struct script *s, uint32_t option, uint16_t kind, const char *text)
{
	add_reply(s, option, 3, 2 + (uint32_t)strlen(text));
	add16(s, kind);
	add(s, text, strlen(text));
}

struct server {
	int fd;
	const struct script *script;
	bool hang_up; /* close after the script; else keep quiet */
	size_t got;
};

static void *
serve(void *opaque)
{
	struct server *server = opaque;
	char sink[4096];
	ssize_t n;

	if (send(server->fd, server->script->bytes, server->script->len, MSG_NOSIGNAL) < 0)
		return NULL;
	if (server->hang_up)
		shutdown(server->fd, SHUT_WR);
	while ((n = recv(server->fd, sink, sizeof(sink), 0)) > 0)
		server->got += (size_t)n;
	return NULL;
}

/* Play @script to the handshake. Return: what it returned. */
static int
play(const struct script *script, const char *name, enum handshake_end end, bool hang_up, int timeout_ms,
     struct export_info *info, struct why *why)
{
	struct server server = {.script = script, .hang_up = hang_up};
	pthread_t thread;
	int fds[2], r;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	server.fd = fds[1];
	CHECK_EQ(pthread_create(&thread, NULL, serve, &server), 0);
	why->text[0] = '\0';
	r = handshake(fds[0], name, end, timeout_ms, info, why);
	shutdown(fds[0], SHUT_RDWR);
	pthread_join(thread, NULL);
	close(fds[0]);
	close(fds[1]);
	if (r < 0)
		CHECK(why->text[0] && !strchr(why->text, '\n'));
	return r;
}

/* A script that must fail with @expected. */
static void
check_fails(const struct script *script, int expected)
{
	static struct export_info info;
	struct why why;
	int r = play(script, "pram0", HANDSHAKE_GO, true, 5000, &info, &why);

	if (r != expected) {
		fprintf(stderr, "%d instead of %d: %s\n", r, expected, why.text);
		abort();
	}
}

static void
all_is_told(void)
{
	static struct export_info info;
	struct script s = {.len = 0};
	struct why why;

	add_hello(&s);
	add_text(&s, 7, 1, "pram0");
	add_export(&s, 7, 1 << 30);
	add_text(&s, 7, 2, "a disk \x1b[31mred");
	add_reply(&s, 7, 3, 14);
	add16(&s, 3);
	add32(&s, 512);
	add32(&s, 4096);
	add32(&s, 32 << 20);
	add_reply(&s, 7, 3, 6); /* a kind nobody asked for is allowed */
	add16(&s, 77);
	add32(&s, 0);
	add_reply(&s, 7, 1, 0);
	CHECK_EQ(play(&s, "", HANDSHAKE_GO, false, 5000, &info, &why), 0);
	CHECK_EQ(info.size_bytes, 1 << 30);
	CHECK(info.flags & NBD_FLAG_CAN_MULTI_CONN);
	CHECK_EQ(info.min_block, 512);
	CHECK_EQ(info.max_request, 32 << 20);
	CHECK_STR(info.name, "pram0");
	CHECK_STR(info.description, "a disk ?[31mred");
}

static void
what_is_not_told_has_a_default(void)
{
	static struct export_info info;
	struct script s = {.len = 0};
	struct why why;

	add_hello(&s);
	add_export(&s, 6, 4096);
	add_reply(&s, 6, 1, 0);
	CHECK_EQ(play(&s, "pram3", HANDSHAKE_ASK, false, 5000, &info, &why), 0);
	CHECK_STR(info.name, "pram3");
	CHECK_STR(info.description, "");
	CHECK_EQ(info.min_block, 1);
}

/* The kernel reads on from where the handshake ended: not a byte may be missing. */
static void
nothing_behind_the_answers_is_read(void)
{
	static struct export_info info;
	struct script s = {.len = 0};
	struct why why;
	char rest[8] = "";
	int fds[2];

	add_hello(&s);
	add_export(&s, 7, 4096);
	add_reply(&s, 7, 1, 0);
	add(&s, "behind", 6);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	CHECK_EQ(send(fds[1], s.bytes, s.len, 0), (long long)s.len);
	CHECK_EQ(handshake(fds[0], "x", HANDSHAKE_GO, 5000, &info, &why), 0);
	CHECK_EQ(recv(fds[0], rest, sizeof(rest), MSG_DONTWAIT), 6);
	CHECK_STR(rest, "behind");
	close(fds[0]);
	close(fds[1]);
}

static void
refusals_are_explained(void)
{
	static const struct {
		uint32_t code;
		int error;
	} refusals[] = {
		{1, -ENOTSUP}, /* ERR_UNSUP */
		{2, -EACCES}, /* ERR_POLICY */
		{3, -EPROTO}, /* ERR_INVALID */
		{5, -ENOTSUP}, /* ERR_TLS_REQD */
		{6, -ENOENT}, /* ERR_UNKNOWN */
		{7, -ECONNRESET}, /* ERR_SHUTDOWN */
		{8, -EPROTO}, /* ERR_BLOCK_SIZE_REQD */
		{9999, -EPROTO},
	};
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct script s = {.len = 0};

		add_hello(&s);
		add_reply(&s, 7, UINT32_C(0x80000000) + refusals[i].code, 5);
		add(&s, "words", 5);
		check_fails(&s, refusals[i].error);
	}
}

static void
what_is_not_nbd_is_refused(void)
{
	struct script s = {.len = 0};

	add(&s, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add(&s, "NBDMAGICxxxxxxxxxxxxxxxx", 24);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add(&s, "NBDMAGIC", 8);
	add64(&s, UINT64_C(0x00420281861253));
	add64(&s, 4096);
	check_fails(&s, -ENOTSUP);
	s.len = 0;
	add(&s, "NBDMAGICIHAVEOPT", 16);
	add16(&s, 0);
	check_fails(&s, -ENOTSUP);
}

static void
broken_answers_are_refused(void)
{
	struct script s = {.len = 0};
	int i;

	add_hello(&s); /* another option's answer */
	add_export(&s, 6, 4096);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add_hello(&s); /* wrong magic */
	add64(&s, 1);
	add32(&s, 7);
	add64(&s, 0);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add_hello(&s); /* no size before the end */
	add_reply(&s, 7, 1, 0);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add_hello(&s); /* an export in 4 bytes */
	add_reply(&s, 7, 3, 4);
	add32(&s, 0);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add_hello(&s); /* information without a kind */
	add_reply(&s, 7, 3, 1);
	add(&s, "x", 1);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add_hello(&s); /* 4 GiB of it */
	add_reply(&s, 7, 3, UINT32_MAX);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add_hello(&s); /* an unknown kind of answer */
	add_reply(&s, 7, 4, 0);
	check_fails(&s, -EPROTO);
	s.len = 0;
	add_hello(&s); /* answers without end */
	for (i = 0; i < 1000; i++)
		add_export(&s, 7, 4096);
	check_fails(&s, -EPROTO);
}

/* Cut off after each byte: never a success, never a hang. */
static void
a_server_may_die_at_any_byte(void)
{
	struct script s = {.len = 0};
	size_t whole;

	add_hello(&s);
	add_text(&s, 7, 1, "pram0");
	add_export(&s, 7, 4096);
	add_reply(&s, 7, 1, 0);
	whole = s.len;
	for (s.len = 0; s.len < whole; s.len++)
		check_fails(&s, -ECONNRESET);
}

static void
a_silent_server_is_given_up(void)
{
	static struct export_info info;
	struct script s = {.len = 0};
	struct why why;

	add_hello(&s);
	CHECK_EQ(play(&s, "pram0", HANDSHAKE_GO, false, 100, &info, &why), -ETIMEDOUT);
}

static void
random_answers_do_no_harm(void)
{
	static struct export_info info;
	struct script good = {.len = 0};
	struct why why;
	int round;

	add_hello(&good);
	add_text(&good, 7, 1, "pram0");
	add_text(&good, 7, 2, "text");
	add_export(&good, 7, 4096);
	add_reply(&good, 7, 1, 0);
	for (round = 0; round < 2000; round++) {
		struct script s = good;
		unsigned int nr = 1 + (unsigned int)(unit_random() % 4);

		while (nr-- > 0)
			s.bytes[unit_random() % s.len] = (unsigned char)unit_random();
		s.len -= unit_random() % 8 ? 0 : unit_random() % s.len;
		memset(&info, 0, sizeof(info));
		if (play(&s, "pram0", HANDSHAKE_GO, true, 5000, &info, &why) == 0) {
			CHECK(memchr(info.name, '\0', sizeof(info.name)));
			CHECK(memchr(info.description, '\0', sizeof(info.description)));
		}
	}
}

UNIT_MAIN(CASE(all_is_told), CASE(what_is_not_told_has_a_default), CASE(nothing_behind_the_answers_is_read),
	  CASE(refusals_are_explained), CASE(what_is_not_nbd_is_refused), CASE(broken_answers_are_refused),
	  CASE(a_server_may_die_at_any_byte), CASE(a_silent_server_is_given_up), CASE(random_answers_do_no_harm))
