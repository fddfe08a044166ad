/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection: lines in, lines out, data in between.
 *
 * While the engine works, its callbacks may hold locks of the engine: what is
 * sent there (progress) is sent without waiting, or left out.  Answers and
 * data are sent when nothing is held, and may wait for the client.
 */
#include "control/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_MS 200
#define LOOK_MS 50

struct session {
	const struct connection *c;
	char *line; /* of CONTROL_LINE_MAX bytes: what has come and is not used yet */
	size_t have;
	size_t used; /* of these, the line that is being worked on */
	bool broken; /* no further request: what comes next cannot be understood */
	int64_t told_ms, looked_ms;
};

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- out ---- */

static int
send_all(struct session *s, const void *buf, size_t len_bytes)
{
	const char *from = buf;

	while (len_bytes > 0) {
		ssize_t n = send(s->c->fd, from, len_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			s->broken = true;
			return n < 0 ? -errno : -EPIPE;
		}
		from += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

static int
send_line(struct session *s, struct json_object *object)
{
	size_t len = 0;
	const char *text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN, &len);
	int r = text == NULL ? -ENOMEM : send_all(s, text, len);

	return r < 0 ? r : send_all(s, "\n", 1);
}

void
connection_refuse(int fd, int code, const char *why)
{
	struct json_object *answer = control_refusal(code, "%s", why);
	char line[1024];
	int n = snprintf(line, sizeof line, "%s\n",
			 answer == NULL ? "{}" : json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));

	if (n > 0 && n < (int)sizeof line)
		(void)!send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	json_object_put(answer);
}

/* ---- in ---- */

/* Return: 1 when there is something to read; 0 when the time is over; -errno. */
static int
wait_for_input(const struct session *s, int64_t until_ms)
{
	struct pollfd p = {.fd = s->c->fd, .events = POLLIN};
	int64_t left = until_ms - now_ms();
	int n;

	if (atomic_load(s->c->stop))
		return -ESHUTDOWN;
	n = poll(&p, 1, left > 0 ? (int)left : 0);
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	return n > 0;
}

/* Return: the bytes that came; 0 at the end; -errno; -EAGAIN is no failure. */
static ssize_t
receive(const struct session *s, void *buf, size_t len_bytes)
{
	ssize_t n = recv(s->c->fd, buf, len_bytes, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

static bool
may_go_on(ssize_t n)
{
	return n > 0 || n == -EAGAIN || n == -EINTR;
}

/*
 * read_line() - the next line, which ends with a NUL in place of its newline.
 * Return: its length; -ENODATA at the end, -ETIMEDOUT, -EMSGSIZE, -errno.
 */
static ssize_t
read_line(struct session *s, int idle_ms)
{
	int64_t until_ms;
	char *end;

	memmove(s->line, s->line + s->used, s->have - s->used);
	s->have -= s->used;
	s->used = 0;
	until_ms = now_ms() + (s->have > 0 ? CONTROL_LINE_MS : idle_ms);
	while ((end = memchr(s->line, '\n', s->have)) == NULL) {
		bool first = s->have == 0;
		ssize_t n;

		if (s->have == CONTROL_LINE_MAX)
			return -EMSGSIZE;
		n = wait_for_input(s, until_ms);
		if (n <= 0)
			return n < 0 ? n : -ETIMEDOUT;
		n = receive(s, s->line + s->have, CONTROL_LINE_MAX - s->have);
		if (!may_go_on(n))
			return n == 0 ? -ENODATA : n;
		s->have += n > 0 ? (size_t)n : 0;
		/* From its first byte on it has to come quickly, however slowly it trickles. */
		if (first)
			until_ms = now_ms() + CONTROL_LINE_MS;
	}
	*end = '\0';
	s->used = (size_t)(end - s->line) + 1;
	return end - s->line;
}

static int
read_data(struct session *s, char *to, size_t len_bytes)
{
	size_t there = s->have - s->used < len_bytes ? s->have - s->used : len_bytes;

	memcpy(to, s->line + s->used, there);
	s->used += there;
	while (there < len_bytes) {
		ssize_t n = wait_for_input(s, now_ms() + CONTROL_DATA_MS);

		if (n <= 0)
			return n < 0 ? (int)n : -ETIMEDOUT;
		n = receive(s, to + there, len_bytes - there);
		if (!may_go_on(n))
			return n == 0 ? -ECANCELED : (int)n;
		there += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* ---- what a verb does meanwhile ---- */

/* Is nobody waiting for the answer any more? */
static bool
has_left(const struct session *s)
{
	struct pollfd p = {.fd = s->c->fd, .events = POLLRDHUP};

	return atomic_load(s->c->stop) || (poll(&p, 1, 0) > 0 && p.revents != 0);
}

static int
on_progress(void *opaque, uint64_t done, uint64_t total)
{
	struct session *s = opaque;
	int64_t now = now_ms();
	char line[96];
	int n;

	if (now - s->looked_ms >= LOOK_MS) {
		s->looked_ms = now;
		if (s->broken || has_left(s))
			return 1;
	}
	if (now - s->told_ms < PROGRESS_MS)
		return 0;
	s->told_ms = now;
	n = snprintf(line, sizeof line, "{\"progress\":{\"done\":%llu,\"total\":%llu}}\n", (unsigned long long)done,
		     (unsigned long long)total);
	/* Without waiting: a lock may be held.  A part of a line would spoil the next one. */
	if (send(s->c->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		return 0;
	s->broken = errno != EAGAIN && errno != EINTR;
	return s->broken;
}

static int
on_begin(void *opaque, uint64_t size_bytes)
{
	char line[64];
	int n = snprintf(line, sizeof line, "{\"begin\":{\"size\":%llu}}\n", (unsigned long long)size_bytes);

	return send_all(opaque, line, (size_t)n);
}

static int
on_data(void *opaque, const void *buf, uint32_t len_bytes, uint64_t off)
{
	char line[96];
	int n = snprintf(line, sizeof line, "{\"data\":{\"offset\":%llu,\"length\":%u}}\n", (unsigned long long)off,
			 len_bytes);
	int r = has_left(opaque) ? -ECANCELED : send_all(opaque, line, (size_t)n);

	return r < 0 ? r : send_all(opaque, buf, len_bytes);
}

/* A number in an object in an object. */
static bool
frame_number(struct json_object *frame, const char *kind, const char *key, uint64_t *ret_number)
{
	struct json_object *object, *value;

	if (!json_object_object_get_ex(frame, kind, &object) || !json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int) ||
	    json_object_get_int64(value) < 0 || json_object_get_int64(value) == INT64_MAX)
		return false;
	*ret_number = json_object_get_uint64(value);
	return true;
}

static int
on_take(void *opaque, void *buf, uint32_t *ret_len_bytes, uint64_t *ret_off)
{
	struct session *s = opaque;
	ssize_t len = read_line(s, CONTROL_DATA_MS);
	struct json_object *frame;
	uint64_t length = 0, off = 0;
	int r = -EPROTO;

	/* Unless it ends well, what follows on this connection is not a request. */
	s->broken = true;
	if (len < 0)
		return len == -ENODATA ? -ECANCELED : (int)len;
	frame = control_parse(s->line, (size_t)len);
	if (frame == NULL)
		return -EPROTO;
	if (frame_number(frame, "end", "size", &off)) {
		r = 0;
	} else if (frame_number(frame, "data", "length", &length) && frame_number(frame, "data", "offset", &off) &&
		   length > 0 && length <= CONTROL_DATA_MAX) {
		r = read_data(s, buf, length);
		r = r < 0 ? r : 1;
	}
	json_object_put(frame);
	if (r < 0)
		return r;
	s->broken = false;
	*ret_len_bytes = (uint32_t)length;
	*ret_off = off;
	return r;
}

/* ---- requests ---- */

static void
note(const struct session *s, struct json_object *request, struct json_object *answer)
{
	struct json_object *ok = NULL;
	char line[640];

	if (s->c->log == NULL || !control_is_change(request))
		return;
	(void)json_object_object_get_ex(answer, "ok", &ok);
	snprintf(line, sizeof line, "control: user %u, process %d: %.480s: %s", (unsigned int)s->c->peer.uid,
		 (int)s->c->peer.pid, json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN),
		 json_object_get_boolean(ok) ? "done" : "refused");
	s->c->log(line);
}

static void
answer_line(struct session *s, size_t len_bytes)
{
	const struct control_io io = {
		.progress = on_progress,
		.begin = on_begin,
		.data = on_data,
		.take = on_take,
		.opaque = s,
	};
	struct control control = *s->c->pool;
	struct json_object *request = control_parse(s->line, len_bytes), *answer;

	control.io = &io;
	if (request == NULL) {
		/* Who sends anything else than JSON may be sending anything. */
		answer = control_refusal(-EBADMSG, "a request is one line with a JSON object");
		s->broken = true;
	} else {
		answer = control_execute(&control, request);
		note(s, request, answer);
	}
	if (answer == NULL || send_line(s, answer) < 0)
		s->broken = true;
	json_object_put(answer);
	json_object_put(request);
}

void
connection_serve(const struct connection *connection)
{
	const struct timeval patience = {.tv_sec = CONTROL_DATA_MS / 1000};
	struct session s = {.c = connection, .line = malloc(CONTROL_LINE_MAX)};

	if (s.line == NULL)
		return;
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (send_all(&s, connection->greeting, strlen(connection->greeting)) < 0)
		s.broken = true;
	while (!s.broken) {
		ssize_t len = read_line(&s, CONTROL_IDLE_MS);

		if (len == -EMSGSIZE)
			connection_refuse(connection->fd, -EMSGSIZE, "the line is too long for a request");
		if (len < 0)
			break;
		answer_line(&s, (size_t)len);
	}
	free(s.line);
}
