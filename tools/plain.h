/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tools show of texts that are not their own: names, paths, labels,
 * a server's words.  A terminal obeys control characters, so none are shown.
 */
#ifndef PRMEM_TOOLS_PLAIN_H
#define PRMEM_TOOLS_PLAIN_H

/*
 * plain_text() - put a '?' in the place of each control character: those of
 * ASCII, and the bytes C2 80 to C2 9F, which are the others in UTF-8.  All
 * else that is not ASCII may be letters.
 */
void plain_text(char *text);

/*
 * plain_put_json() - write a line of JSON to standard output.  In JSON nothing
 * may be lost: control characters that it would let pass are written as \u....
 */
void plain_put_json(const char *json);

#endif
