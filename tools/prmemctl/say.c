/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "tools/plain.h"
#include "tools/prmemctl/ctl.h"

void
say_error(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	plain_text(line);
	fprintf(stderr, "prmemctl: %s\n", line);
}

static bool
is_like_fsck(const struct args *args)
{
	return strcmp(args->verb, "check") == 0 || strcmp(args->verb, "scrub") == 0 ||
	       strcmp(args->verb, "repair") == 0;
}

/* -EINVAL means that the command line was wrong. */
int
exit_for(const struct args *args, int code)
{
	if (code == 0)
		return EXIT_OK;
	if (interrupted)
		return is_like_fsck(args) ? EXIT_FSCK_INTERRUPTED : EXIT_INTERRUPTED;
	if (is_like_fsck(args))
		return code == -EINVAL ? EXIT_FSCK_USAGE : EXIT_FSCK_FAILED;
	return code == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

int
failed(const struct args *args, int code, const char *fmt, ...)
{
	char line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	/* In JSON too, as the library does it. */
	plain_text(line);
	say_error("%s", line);
	if (args->json) {
		struct json_object *answer = control_refusal(code, "%s", line), *error = part_in(answer, "error");
		struct json_object *shown = json_object_new_object();

		json_object_object_add(shown, "error", json_object_get(error));
		print_json(shown);
		json_object_put(shown);
		json_object_put(answer);
	}
	return exit_for(args, code == -EINVAL ? -EIO : code);
}

bool
on_terminal(int fd)
{
	return isatty(fd) != 0;
}

const char *
or_quotes(const char *text)
{
	return *text != '\0' ? text : "\"\"";
}
