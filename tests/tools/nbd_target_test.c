/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * URIs and names of devices, as prmem-nbd understands them.
 */
#include <errno.h>

#include "tests/unit/unit.h"
#include "tools/prmem-nbd/device.h"
#include "tools/prmem-nbd/session.h"
#include "tools/prmem-nbd/target.h"

static struct target
parsed(const char *where, const char *export_name)
{
	struct target t = {0};
	struct why why = {.text = ""};

	if (target_parse(where, export_name, &t, &why) != 0) {
		fprintf(stderr, "%s: %s\n", where, why.text);
		abort();
	}
	return t;
}

static void
unix_uris_are_understood(void)
{
	struct target t = parsed("nbd+unix:///pram0?socket=/run/a%20b.sock", NULL);

	CHECK_STR(t.socket_path, "/run/a b.sock");
	CHECK_STR(t.export_name, "pram0");
	CHECK(!t.host);
	target_free(&t);

	t = parsed("nbd+unix://?socket=/s", NULL);
	CHECK_STR(t.export_name, "");
	target_free(&t);

	t = parsed("nbd+unix:///?other=1&socket=/s#fragment", "pram7");
	CHECK_STR(t.socket_path, "/s");
	CHECK_STR(t.export_name, "pram7");
	target_free(&t);

	/* one slash is syntax, the others belong to the name */
	t = parsed("nbd+unix:////x/y?socket=/s", NULL);
	CHECK_STR(t.export_name, "/x/y");
	target_free(&t);
}

static void
tcp_uris_are_understood(void)
{
	struct target t = parsed("nbd://example/pram0", NULL);

	CHECK_STR(t.host, "example");
	CHECK_STR(t.port, "10809");
	CHECK_STR(t.export_name, "pram0");
	target_free(&t);

	t = parsed("nbd://[::1]:10810", NULL);
	CHECK_STR(t.host, "::1");
	CHECK_STR(t.port, "10810");
	target_free(&t);

	t = parsed("nbd://127.0.0.1:99/%70ram", NULL);
	CHECK_STR(t.port, "99");
	CHECK_STR(t.export_name, "pram");
	target_free(&t);

	t = parsed("nbd:///pram0", NULL);
	CHECK_STR(t.host, "localhost");
	target_free(&t);
}

static void
a_path_is_a_socket(void)
{
	struct target t = parsed("/run/prmem/a.sock", "pram1");

	CHECK_STR(t.socket_path, "/run/prmem/a.sock");
	CHECK_STR(t.export_name, "pram1");
	target_free(&t);

	t = parsed("a.sock", NULL);
	CHECK(t.socket_path[0] == '/');
	CHECK_STR(strrchr(t.socket_path, '/'), "/a.sock");
	target_free(&t);
}

static void
a_pool_and_a_disk_are_a_socket_and_an_export(void)
{
	struct target t = parsed("main/pram0", NULL);

	CHECK_STR(t.socket_path, "/run/prmem/main.sock");
	CHECK_STR(t.export_name, "pram0");
	target_free(&t);
	t = parsed("./main/pram0", NULL);
	CHECK_STR(t.export_name, "");
	target_free(&t);
	t = parsed("main/x/pram0", NULL);
	CHECK_STR(t.export_name, "");
	target_free(&t);
	t = parsed("main/pram0", "pram1");
	CHECK_STR(t.export_name, "pram1");
	target_free(&t);
}

static void
what_cannot_be_served_is_refused(void)
{
	static const char *const bad[] = {
		"",
		"http://example/",
		"nbds://example/",
		"nbd+vsock://2/x",
		"nbds+unix:///x?socket=/s",
		"nbd+unix:///x",
		"nbd+unix:///x?socket=",
		"nbd+unix:///x?socket=/a&socket=/b",
		"nbd+unix:///x?socket=/a&tls-type=psk",
		"nbd+unix://host/x?socket=/a",
		"nbd+unix:///x%?socket=/a",
		"nbd+unix:///x%4?socket=/a",
		"nbd+unix:///x%zz?socket=/a",
		"nbd+unix:///x%00?socket=/a",
		"nbd://host/x?socket=/a",
		"nbd://user@host/x",
		"nbd://[::1/x",
		"nbd://[::1]99/x",
		"nbd://host:0/",
		"nbd://host:65536/",
		"nbd://host:12x/",
		"nbd://host:-1/",
	};
	struct target t = {.port = (char *)"untouched"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct why why = {.text = ""};

		if (target_parse(bad[i], NULL, &t, &why) != -EINVAL) {
			fprintf(stderr, "accepted: \"%s\"\n", bad[i]);
			abort();
		}
		CHECK(why.text[0] && !strchr(why.text, '\n'));
		CHECK_STR(t.port, "untouched");
	}
	CHECK_EQ(target_parse("nbd+unix:///a?socket=/s", "b", &t, NULL), -EINVAL);
}

static void
too_long_is_refused(void)
{
	char *name = malloc(TARGET_EXPORT_MAX + 2), path[200];
	struct target t;

	CHECK(name);
	memset(name, 'x', TARGET_EXPORT_MAX + 1);
	name[TARGET_EXPORT_MAX + 1] = '\0';
	CHECK_EQ(target_parse("/s", name, &t, NULL), -EINVAL);
	name[TARGET_EXPORT_MAX] = '\0';
	CHECK_EQ(target_parse("/s", name, &t, NULL), 0);
	target_free(&t);
	free(name);

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[108] = '\0';
	CHECK_EQ(target_parse(path, NULL, &t, NULL), -EINVAL);
	path[107] = '\0';
	CHECK_EQ(target_parse(path, NULL, &t, NULL), 0);
	target_free(&t);
}

/* What is written is read as the same. */
static void
uris_come_back(void)
{
	static const char *const names[] = {"", "pram0", "a b", "50%", "ä?&#x", "/x/"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct target a = parsed("/run/we ird?.sock", names[i]), b;
		char *uri = target_uri(&a);

		CHECK(uri);
		b = parsed(uri, NULL);
		CHECK_STR(a.socket_path, b.socket_path);
		CHECK_STR(a.export_name, b.export_name);
		free(uri);
		target_free(&a);
		target_free(&b);
	}
	for (i = 0; i < 2; i++) {
		struct target a = parsed(i ? "nbd://[fe80::1]:1/x" : "nbd://h:1/x", NULL), b;
		char *uri = target_uri(&a);

		b = parsed(uri, NULL);
		CHECK_STR(a.host, b.host);
		CHECK_STR(a.port, b.port);
		free(uri);
		target_free(&a);
		target_free(&b);
	}
}

static void
random_uris_do_no_harm(void)
{
	static const char alphabet[] = "nbd+unix:/?&=#%[]@sockt0aA. ";
	int round;

	for (round = 0; round < 20000; round++) {
		char text[64] = "nbd+unix://";
		size_t len = unit_random() % 2 ? 0 : 11, end = len + unit_random() % 40;
		struct target t;

		while (len < end)
			text[len++] = alphabet[unit_random() % (sizeof(alphabet) - 1)];
		text[len] = '\0';
		if (target_parse(text, NULL, &t, NULL) == 0) {
			char *uri = target_uri(&t);

			CHECK(uri && t.export_name && (t.socket_path || (t.host && t.port)));
			free(uri);
			target_free(&t);
		}
	}
}

static void
devices_are_recognized(void)
{
	CHECK_EQ(device_index("/dev/nbd0"), 0);
	CHECK_EQ(device_index("nbd17"), 17);
	CHECK_EQ(device_index("/dev/nbd"), -EINVAL);
	CHECK_EQ(device_index("/dev/nbd0p1"), -EINVAL);
	CHECK_EQ(device_index("/dev/nbd-1"), -EINVAL);
	CHECK_EQ(device_index("/dev/nbd99999999999999999999"), -EINVAL);
	CHECK_EQ(device_index("/dev/null"), -EINVAL);
	CHECK_EQ(device_index("pram0"), -EINVAL);
	CHECK_EQ(device_index(""), -EINVAL);
}

static void
a_disk_is_known_by_its_pool(void)
{
	struct target t = parsed("nbd+unix:///pram0?socket=/s", NULL);
	struct export_info info = {.name = "pram0"};
	char *text;

	strcpy(info.description, "1G, pool 0f8fad5b-d9cd-469f-a165-70867728950e, created today");
	text = identity(&t, &info);
	CHECK_STR(text, "prmem:0f8fad5b-d9cd-469f-a165-70867728950e/pram0");
	free(text);
	strcpy(info.description,
	       "pool 00000000-d9cd-469f-a165-70867728950e: 1G, pool 0f8fad5b-d9cd-469f-a165-70867728950e");
	text = identity(&t, &info);
	CHECK_STR(text, "prmem:0f8fad5b-d9cd-469f-a165-70867728950e/pram0");
	free(text);
	strcpy(info.description, "the pool is 0f8fad5b and a swimming pool 0f8fad5b-d9cd-469f");
	text = identity(&t, &info);
	CHECK_STR(text, "nbd:nbd+unix:///pram0?socket=/s");
	free(text);
	target_free(&t);
}

UNIT_MAIN(CASE(unix_uris_are_understood), CASE(tcp_uris_are_understood), CASE(a_path_is_a_socket),
	  CASE(a_pool_and_a_disk_are_a_socket_and_an_export), CASE(what_cannot_be_served_is_refused),
	  CASE(too_long_is_refused), CASE(uris_come_back), CASE(random_uris_do_no_harm), CASE(devices_are_recognized),
	  CASE(a_disk_is_known_by_its_pool))
