/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/cf.h: the text of Postfix's main.cf or master.cf, edited in places without changing any other byte of
 * it. postconf(5), master(5). No I/O. Places are offsets into the text; an edit moves those after it. */
#ifndef MTA_POSTFIX_CF_H
#define MTA_POSTFIX_CF_H

#include <stdbool.h>
#include <stddef.h>

struct cf {
    char *text;
    char *bare;  /* the same with blanks in the place of each comment */
    bool failed; /* memory ran out in an edit: no more lines are found, and the text is of no use */
};

/* A part of the text. */
struct span {
    size_t start, end;
};

/* A parameter that is set: by a line of main.cf, or by an option of a service in master.cf. */
struct setting {
    struct span line;  /* of main.cf, or of the service */
    struct span whole; /* the same line; or the option, "-o name=value" or "-o { name = value }" */
    struct span name, value;
};

/* Puts blanks in the place of each line that is a comment: '#' is its first character that is no blank (readlline.c of
 * Postfix). */
void cf_blank_comments(char *text);

/* Copies the text. Returns 0, or -1 if memory is out; free it in either case. */
int cf_read(struct cf *cf, const char *text);
void cf_free(struct cf *cf);

/* Goes on to the next logical line: one that begins in the first column, and those after it that begin with a blank.
 * It ends after the last character of its last line that is no comment. Start with {0, 0}. Returns whether there
 * is one. */
bool cf_next(const struct cf *cf, struct span *line);

/* Goes on to the next line of main.cf that sets a parameter, "name = value": a name is all up to a blank or '='
 * (split_nameval.c of Postfix). Start with {.line = {0, 0}}. Returns whether there is one. */
bool cf_setting(const struct cf *cf, struct setting *setting);

/* Goes on to the next option of the service in setting->line. Start with whole = {line.start, line.start}. Returns
 * whether there is one. */
bool cf_option(const struct cf *cf, struct setting *setting);

/* Finds the line of main.cf that sets the parameter: the last if there are several, as in Postfix. Returns how many
 * there are. */
size_t cf_parameter(const struct cf *cf, const char *name, struct setting *out);

/* Whether the part has this text, and no more. */
bool cf_is(const struct cf *cf, struct span part, const char *text);

/* The part without its newlines and comments, on the heap; NULL if memory is out. */
char *cf_copy(const struct cf *cf, struct span part);

/* Puts other text in the place of a part; NULL counts as memory that ran out. Returns by how much the text has grown. */
size_t cf_replace(struct cf *cf, struct span part, const char *with);

/* Removes a part, with its lines where nothing else is in them. */
void cf_remove(struct cf *cf, struct span part);

/* Adds lines, without the last newline, behind this place, which is the end of a line, or at the end of the text.
 * cf_remove restores a text that lacked its last newline. */
void cf_add_lines(struct cf *cf, size_t end, const char *lines);
void cf_append_lines(struct cf *cf, const char *lines);

#endif
