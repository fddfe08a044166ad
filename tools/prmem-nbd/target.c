/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parsing and writing of NBD URIs.  The kernel knows neither TLS nor vsock, so
 * only the two plain transports are understood, and everything else refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/prmem-nbd/target.h"

#define NBD_DEFAULT_PORT "10809"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undo %XX in @len bytes of @text; NULL without memory or with a bad or zero code. */
static char *
percent_decode(const char *text, size_t len)
{
	char *out = malloc(len + 1), *to = out;
	size_t i;

	if (!out)
		return NULL;
	for (i = 0; i < len; i++) {
		int high, low;

		if (text[i] != '%') {
			*to++ = text[i];
			continue;
		}
		high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
		low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
		if (high < 0 || low < 0 || high + low == 0) {
			free(out);
			return NULL;
		}
		*to++ = (char)(high * 16 + low);
		i += 2;
	}
	*to = '\0';
	return out;
}

static char *
percent_encode(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
	char *out = malloc(strlen(text) * 3 + 1), *to = out;

	if (!out)
		return NULL;
	for (; *text; text++) {
		if (strchr(plain, *text))
			*to++ = *text;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*text);
	}
	*to = '\0';
	return out;
}

/* HOST, HOST:PORT, [V6] or [V6]:PORT */
static int
parse_authority(const char *text, size_t len, struct target *t, struct why *why)
{
	const char *host = text, *end = text + len, *colon = NULL;
	size_t host_len;

	if (len > 0 && text[0] == '[') {
		const char *close_bracket = memchr(text, ']', len);

		if (!close_bracket)
			return why_set(why, -EINVAL, "%.*s: a bracket is not closed", (int)len, text);
		host = text + 1;
		host_len = (size_t)(close_bracket - host);
		if (close_bracket + 1 < end) {
			if (close_bracket[1] != ':')
				return why_set(why, -EINVAL, "%.*s: not an address", (int)len, text);
			colon = close_bracket + 1;
		}
	} else {
		colon = memchr(text, ':', len);
		host_len = colon ? (size_t)(colon - text) : len;
	}
	if (memchr(text, '@', len))
		return why_set(why, -EINVAL, "%.*s: NBD knows no users without TLS", (int)len, text);
	t->host = strndup(host_len ? host : "localhost", host_len ? host_len : 9);
	if (colon && colon + 1 < end)
		t->port = strndup(colon + 1, (size_t)(end - colon - 1));
	else
		t->port = strdup(NBD_DEFAULT_PORT);
	if (!t->host || !t->port)
		return why_set(why, -ENOMEM, "out of memory");
	if (strspn(t->port, "0123456789") != strlen(t->port) || strlen(t->port) > 5 || atoi(t->port) > 65535 ||
	    atoi(t->port) == 0)
		return why_set(why, -EINVAL, "%s: not a port number", t->port);
	return 0;
}

/* The value of socket= in a query string. */
static int
parse_query(const char *query, struct target *t, struct why *why)
{
	while (query && *query) {
		size_t len = strcspn(query, "&;");

		if (strncmp(query, "socket=", 7) == 0) {
			if (t->socket_path)
				return why_set(why, -EINVAL, "socket= is given twice");
			t->socket_path = percent_decode(query + 7, len - 7);
			if (!t->socket_path)
				return why_set(why, -EINVAL, "%s: not a valid URI", query);
		} else if (strncmp(query, "tls", 3) == 0) {
			return why_set(why, -EINVAL, "%.*s: the kernel's client cannot do TLS", (int)len, query);
		}
		query += len;
		if (*query)
			query++;
	}
	return 0;
}

static int
parse_uri(const char *uri, struct target *t, struct why *why)
{
	bool is_unix = strncmp(uri, "nbd+unix://", 11) == 0;
	const char *rest = strstr(uri, "://") + 3;
	size_t authority_len = strcspn(rest, "/?#");
	const char *path = rest + authority_len, *query;
	size_t path_len = strcspn(path, "?#");
	char *query_text = NULL;
	int r = 0;

	if (!is_unix && strncmp(uri, "nbd://", 6) != 0)
		return why_set(why, -EINVAL, "%s: the kernel's client can do nbd:// and nbd+unix:// only", uri);

	query = path + path_len;
	if (*query == '?') {
		query_text = strndup(query + 1, strcspn(query + 1, "#"));
		if (!query_text)
			return why_set(why, -ENOMEM, "out of memory");
		r = parse_query(query_text, t, why);
		free(query_text);
		if (r < 0)
			return r;
	}
	if (is_unix) {
		if (authority_len != 0)
			return why_set(why, -EINVAL, "%s: nbd+unix:// must be followed by a third slash", uri);
		if (!t->socket_path || !*t->socket_path)
			return why_set(why, -EINVAL, "%s: ?socket=PATH is missing", uri);
	} else {
		if (t->socket_path)
			return why_set(why, -EINVAL, "%s: socket= needs nbd+unix://", uri);
		r = parse_authority(rest, authority_len, t, why);
		if (r < 0)
			return r;
	}
	if (path_len > 0) /* one slash belongs to the syntax, the rest is the name */
		path++, path_len--;
	t->export_name = percent_decode(path, path_len);
	if (!t->export_name)
		return why_set(why, -EINVAL, "%s: not a valid URI", uri);
	return 0;
}

/*
 * POOL/DISK names a pool that prmem@POOL.socket listens for.  A relative path
 * that leads to something comes first.
 */
static bool
is_pool_and_disk(const char *where)
{
	const char *slash = strchr(where, '/');

	return slash && slash != where && slash[1] && !strchr(slash + 1, '/') && where[0] != '.' &&
	       access(where, F_OK) < 0;
}

static int
parse_pool_and_disk(const char *where, struct target *t)
{
	const char *slash = strchr(where, '/');

	if (asprintf(&t->socket_path, "/run/prmem/%.*s.sock", (int)(slash - where), where) < 0) {
		t->socket_path = NULL;
		return -ENOMEM;
	}
	t->export_name = strdup(slash + 1);
	return t->export_name ? 0 : -ENOMEM;
}

int
target_parse(const char *where, const char *export_name, struct target *ret_target, struct why *why)
{
	struct target t = {0};
	int r = 0;

	if (strstr(where, "://")) {
		r = parse_uri(where, &t, why);
		if (r == 0 && export_name && *t.export_name && strcmp(export_name, t.export_name) != 0)
			r = why_set(why, -EINVAL, "%s names another export than %s: give only one", where, export_name);
	} else if (*where == '\0') {
		r = why_set(why, -EINVAL, "the server's address is empty");
	} else if (!export_name && is_pool_and_disk(where)) {
		if (parse_pool_and_disk(where, &t) < 0)
			r = why_set(why, -ENOMEM, "out of memory");
	} else {
		/* The monitor changes to another directory. */
		t.socket_path = *where == '/' ? strdup(where) : NULL;
		if (!t.socket_path) {
			char *cwd = getcwd(NULL, 0);

			if (!cwd || asprintf(&t.socket_path, "%s/%s", cwd, where) < 0)
				r = why_set(why, -ENOMEM, "out of memory");
			free(cwd);
		}
	}
	if (r == 0 && export_name) {
		free(t.export_name);
		t.export_name = strdup(export_name);
	} else if (r == 0 && !t.export_name) {
		t.export_name = strdup("");
	}
	if (r == 0 && !t.export_name)
		r = why_set(why, -ENOMEM, "out of memory");
	if (r == 0 && strlen(t.export_name) > TARGET_EXPORT_MAX)
		r = why_set(why, -EINVAL, "the export's name is longer than %d bytes", TARGET_EXPORT_MAX);
	if (r == 0 && t.socket_path && strlen(t.socket_path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		r = why_set(why, -EINVAL, "%s: longer than a socket's path may be", t.socket_path);
	if (r < 0) {
		target_free(&t);
		return r;
	}
	*ret_target = t;
	return 0;
}

void
target_free(struct target *target)
{
	free(target->socket_path);
	free(target->host);
	free(target->port);
	free(target->export_name);
	memset(target, 0, sizeof(*target));
}

char *
target_uri(const struct target *target)
{
	char *name = percent_encode(target->export_name);
	char *path = percent_encode(target->socket_path ? target->socket_path : "");
	char *uri = NULL;
	int r;

	if (!name || !path)
		r = -1;
	else if (target->socket_path)
		r = asprintf(&uri, "nbd+unix:///%s?socket=%s", name, path);
	else if (strchr(target->host, ':'))
		r = asprintf(&uri, "nbd://[%s]:%s/%s", target->host, target->port, name);
	else
		r = asprintf(&uri, "nbd://%s:%s/%s", target->host, target->port, name);
	free(name);
	free(path);
	return r < 0 ? NULL : uri;
}
