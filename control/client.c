/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/place.h"
#include "control/verb.h"

/* No answer is longer: the server is trusted no further than its memory. */
#define ANSWER_MAX (UINT32_C(256) << 20)

struct control_client {
	int fd;
	char *buf;
	size_t room, have, used;
	const volatile sig_atomic_t *interrupted;
	bool asked; /* for something; the server will answer */
	bool told; /* the server, that it shall stop */
};

/* ---- bytes ---- */

/* Half a connection says that nobody wants the rest; the answer still comes. */
static void
tell_to_stop(struct control_client *client)
{
	if (!client->told)
		shutdown(client->fd, SHUT_WR);
	client->told = true;
}

static bool
is_interrupted(const struct control_client *client)
{
	return client->interrupted != NULL && *client->interrupted != 0;
}

/* Return: 0; -EINTR; -errno.  The server may take its time: it is waited for as fill() does. */
static int
send_all(struct control_client *client, const void *buf, size_t len_bytes)
{
	const char *from = buf;

	while (len_bytes > 0) {
		struct pollfd p = {.fd = client->fd, .events = POLLOUT};
		ssize_t n;

		if (is_interrupted(client))
			return -EINTR;
		if (poll(&p, 1, 200) <= 0)
			continue;
		n = send(client->fd, from, len_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		from += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

/* Return: 0; -EPIPE at the end; -ECANCELED before anything was asked for; -errno. */
static int
fill(struct control_client *client)
{
	for (;;) {
		struct pollfd p = {.fd = client->fd, .events = POLLIN};
		ssize_t n;

		if (is_interrupted(client) && !client->asked)
			return -ECANCELED;
		if (is_interrupted(client))
			tell_to_stop(client);
		/* A signal that comes just before poll() is seen a moment later. */
		if (poll(&p, 1, 200) <= 0)
			continue;
		n = recv(client->fd, client->buf + client->have, client->room - client->have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		client->have += (size_t)n;
		return 0;
	}
}

static int
read_line(struct control_client *client, char **ret_line, size_t *ret_len)
{
	size_t looked = 0;

	memmove(client->buf, client->buf + client->used, client->have - client->used);
	client->have -= client->used;
	client->used = 0;
	for (;;) {
		char *end = memchr(client->buf + looked, '\n', client->have - looked);
		int r;

		if (end != NULL) {
			*end = '\0';
			*ret_line = client->buf;
			*ret_len = (size_t)(end - client->buf);
			client->used = *ret_len + 1;
			return 0;
		}
		looked = client->have;
		if (client->have == client->room) {
			char *grown = client->room < ANSWER_MAX ? realloc(client->buf, client->room * 2) : NULL;

			if (grown == NULL)
				return -EMSGSIZE;
			client->buf = grown;
			client->room *= 2;
		}
		r = fill(client);
		if (r < 0)
			return r;
	}
}

static int
read_data(struct control_client *client, char *to, size_t len_bytes)
{
	while (len_bytes > 0) {
		size_t part = client->have - client->used;
		int r;

		if (part > len_bytes)
			part = len_bytes;
		memcpy(to, client->buf + client->used, part);
		client->used += part;
		to += part;
		len_bytes -= part;
		if (client->used == client->have)
			client->used = client->have = 0;
		r = len_bytes > 0 ? fill(client) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- lines ---- */

static struct json_object *
part_of(struct json_object *line, const char *key)
{
	struct json_object *part;

	return json_object_object_get_ex(line, key, &part) && json_object_is_type(part, json_type_object) ? part : NULL;
}

static int
take_data(struct control_client *client, struct json_object *data, const struct control_io *io)
{
	uint64_t len_bytes = get_number(data, "length", 0), off = get_number(data, "offset", 0);
	char *buf;
	int r;

	if (len_bytes < 1 || len_bytes > CONTROL_DATA_MAX)
		return -EPROTO;
	buf = malloc(len_bytes);
	if (buf == NULL)
		return -ENOMEM;
	r = read_data(client, buf, len_bytes);
	if (r == 0 && !client->told) {
		r = io->data(io->opaque, buf, (uint32_t)len_bytes, off);
		/* Our own failure: who asked knows of it; the server is to end. */
		if (r < 0)
			tell_to_stop(client);
		r = 0;
	}
	free(buf);
	return r;
}

/* Return: 1 and *ret_answer, 0 after any other line, -errno. */
static int
take_line(struct control_client *client, const struct control_io *io, struct json_object **ret_answer)
{
	struct json_object *line, *part;
	size_t len;
	char *text;
	int r = read_line(client, &text, &len);

	if (r < 0)
		return r;
	line = control_parse(text, len);
	if (line == NULL)
		return -EPROTO;
	if (has_key(line, "ok")) {
		*ret_answer = line;
		return 1;
	}
	if ((part = part_of(line, "progress")) != NULL) {
		if (io->progress != NULL &&
		    io->progress(io->opaque, get_number(part, "done", 0), get_number(part, "total", 0)) != 0)
			tell_to_stop(client);
	} else if ((part = part_of(line, "begin")) != NULL && io->begin != NULL) {
		if (io->begin(io->opaque, get_number(part, "size", 0)) < 0)
			tell_to_stop(client);
	} else if ((part = part_of(line, "data")) != NULL && io->data != NULL) {
		r = take_data(client, part, io);
	}
	json_object_put(line);
	return r;
}

static bool
has_input(const struct control_client *client)
{
	struct pollfd p = {.fd = client->fd, .events = POLLIN};

	return client->used < client->have || poll(&p, 1, 0) > 0;
}

/* Send all that is to be imported.  Return: as take_line(), 0 when all was sent. */
static int
give_data(struct control_client *client, const struct control_io *io, struct json_object **ret_answer)
{
	char *buf = malloc(CONTROL_DATA_MAX), line[96];
	int r = buf == NULL ? -ENOMEM : 0;

	while (r == 0 && !client->told) {
		uint32_t len_bytes = 0;
		uint64_t off = 0;
		int got, n;

		while (r == 0 && has_input(client))
			r = take_line(client, io, ret_answer);
		if (r != 0)
			break;
		got = is_interrupted(client) ? -EINTR : io->take(io->opaque, buf, &len_bytes, &off);
		if (got < 0) {
			/* Without the end the server forgets what came. */
			tell_to_stop(client);
			break;
		}
		if (got > 0)
			n = snprintf(line, sizeof line, "{\"data\":{\"offset\":%llu,\"length\":%u}}\n",
				     (unsigned long long)off, len_bytes);
		else
			n = snprintf(line, sizeof line, "{\"end\":{\"size\":%llu}}\n", (unsigned long long)off);
		/* When it takes no more it has refused: its answer is on the way. */
		if (send_all(client, line, (size_t)n) < 0 || send_all(client, buf, len_bytes) < 0 || got == 0)
			break;
	}
	free(buf);
	return r;
}

int
control_ask(struct control_client *client, struct json_object *request, const struct control_io *io,
	    struct json_object **ret_answer)
{
	const char *verb = get_text(request, "verb");
	size_t len;
	const char *text = json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN, &len);
	int r;

	client->asked = true;
	r = text == NULL ? -ENOMEM : send_all(client, text, len);
	if (r == 0)
		r = send_all(client, "\n", 1);
	if (r == 0 && verb != NULL && strcmp(verb, "import") == 0)
		r = give_data(client, io, ret_answer);
	while (r == 0)
		r = take_line(client, io, ret_answer);
	return r < 0 ? r : 0;
}

/* ---- connecting ---- */

/* Is it the server of the very file or device, and not of a copy of it? */
static bool
is_same_pool(struct json_object *greeting, const char *pool_path, const char *uuid)
{
	const char *says = get_text(greeting, "pool");
	struct stat st;

	if (get_number(greeting, "prmem_control", 0) != CONTROL_PROTOCOL || says == NULL || strcmp(says, uuid) != 0 ||
	    stat(pool_path, &st) < 0)
		return false;
	if (S_ISCHR(st.st_mode))
		return get_number(greeting, "device", 0) == st.st_rdev && get_number(greeting, "inode", 1) == 0;
	return get_number(greeting, "device", 0) == st.st_dev && get_number(greeting, "inode", 0) == st.st_ino;
}

/* Return: 0; -ENOENT when nobody is there, or another one; -EACCES; -errno. */
static int
try_place(struct control_client *client, const struct sockaddr_un *address, const char *pool_path, const char *uuid,
	  uid_t uid)
{
	struct ucred peer = {0};
	socklen_t len = sizeof peer;
	struct json_object *greeting = NULL;
	size_t line_len;
	char *line;
	int r;

	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return -errno;
	if (connect(client->fd, (const struct sockaddr *)address, sizeof *address) < 0) {
		r = errno == EACCES || errno == EPERM ? -EACCES : -ENOENT;
		goto fail;
	}
	/* Anybody could listen below /tmp. */
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || (peer.uid != 0 && peer.uid != uid)) {
		r = -EACCES;
		goto fail;
	}
	client->have = client->used = 0;
	r = read_line(client, &line, &line_len);
	if (r < 0)
		goto fail;
	greeting = control_parse(line, line_len);
	if (greeting != NULL && is_same_pool(greeting, pool_path, uuid))
		r = 0;
	else
		r = greeting != NULL && has_key(greeting, "error") ? -EACCES : -ENOENT;
	json_object_put(greeting);
	if (r == 0)
		return 0;
fail:
	close(client->fd);
	client->fd = -1;
	return r;
}

static uid_t
user_of(pid_t pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	return stat(path, &st) == 0 ? st.st_uid : geteuid();
}

/* Look in all places where servers of a user have their sockets.  Return: as try_place(). */
static int
try_user(struct control_client *client, uid_t uid, const char *pool_path, const char *uuid)
{
	int found = -ENOENT;

	for (unsigned int i = 0; i < PLACE_NR && !is_interrupted(client); i++) {
		struct sockaddr_un address;
		int r;

		if (place_of(i, uid, uuid, &address) < 0)
			continue;
		r = try_place(client, &address, pool_path, uuid, uid);
		if (r == 0)
			return 0;
		if (r != -ENOENT)
			found = r;
	}
	return found;
}

/* Return: as try_place(). */
static int
try_users(struct control_client *client, const char *pool_path, const char *uuid)
{
	uid_t me = geteuid(), user;
	int32_t holder;
	int found = try_user(client, 0, pool_path, uuid), r;

	if (found != 0 && me != 0) {
		r = try_user(client, me, pool_path, uuid);
		found = r == -ENOENT ? found : r;
	}
	/* Only now: to find the holder may need a look at every process. */
	if (found == 0 || is_interrupted(client) || prmem_find_holder(pool_path, &holder, NULL) < 0 || holder <= 0)
		return found;
	user = user_of(holder);
	if (user != 0 && user != me) {
		r = try_user(client, user, pool_path, uuid);
		found = r == -ENOENT ? found : r;
	}
	return found;
}

int
control_connect(const char *pool_path, const volatile sig_atomic_t *interrupted, struct control_client **ret_client,
		struct prmem_error *err)
{
	struct control_client *client;
	struct prmem_probe_info info;
	int r = prmem_probe(pool_path, &info, sizeof info, err);

	if (r < 0)
		return r;
	client = calloc(1, sizeof *client);
	if (client == NULL || (client->buf = malloc(65536)) == NULL) {
		free(client);
		return verb_error(err, -ENOMEM, "out of memory");
	}
	client->fd = -1;
	client->room = 65536;
	client->interrupted = interrupted;
	r = try_users(client, pool_path, info.uuid);
	if (r == 0) {
		*ret_client = client;
		return 0;
	}
	if (is_interrupted(client)) {
		control_disconnect(client);
		/* Nothing was asked for. */
		return verb_error(err, -ECANCELED, "pool %.200s: interrupted before its server answered", pool_path);
	}
	control_disconnect(client);
	return r == -EACCES ? verb_error(err, r, "pool %.200s: its server may not be asked by this user", pool_path)
			    : verb_error(err, r, "pool %.200s: no server answers for it", pool_path);
}

void
control_disconnect(struct control_client *client)
{
	if (client == NULL)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client->buf);
	free(client);
}
