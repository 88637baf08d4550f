/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/cf.h: the text of Postfix's main.cf or master.cf, edited in places without changing any other byte of
 * it. postconf(5), master(5). No I/O. Places are offsets into the text; an edit moves those after it. */
#ifndef MTA_POSTFIX_CF_H
#define MTA_POSTFIX_CF_H

#include <stdbool.h>
#include <stddef.h>

struct cf {
    char *text;
    char *bare; /* the same with blanks in the place of each comment */
};

/* A part of the text. */
struct span {
    size_t start, end;
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

/* Finds the line of main.cf that sets the parameter, the last if there are several, as in Postfix; *value becomes what
 * follows the '='. Returns whether there is one. */
bool cf_parameter(const struct cf *cf, const char *name, struct span *line, struct span *value);

/* Splits a line of main.cf, "name = value": a name is all up to a blank or '=' (split_nameval.c). Returns whether it is one. */
bool cf_split(const struct cf *cf, struct span line, struct span *name, struct span *value);

/* Whether the line of main.cf sets this parameter; sets *value. */
bool cf_sets(const struct cf *cf, struct span line, const char *name, struct span *value);

/* Goes on to the next option of a service in master.cf, "-o name=value" or "-o { name = value }". Start with *option =
 * {line.start, line.start}. Returns whether there is one: name and value become its parts. */
bool cf_option(const struct cf *cf, struct span line, struct span *option, struct span *name,
               struct span *value);

/* Whether the part has this text, and no more. */
bool cf_is(const struct cf *cf, struct span part, const char *text);

/* Whether the part has no items of a list. */
bool cf_is_blank(const struct cf *cf, struct span part);

/* The part without its newlines and comments, on the heap; NULL if memory is out. */
char *cf_copy(const struct cf *cf, struct span part);

/* Puts other text in the place of a part. Returns 0, or -1 if memory is out. */
int cf_replace(struct cf *cf, struct span part, const char *with);

/* Takes a part out, with its lines where nothing else is in them. Returns 0, or -1 if memory is out. */
int cf_remove(struct cf *cf, struct span part);

/* Adds lines, without the last newline, behind this place, which is the end of a line; cf_remove restores a text that
 * lacked its last newline. Returns 0, or -1 if memory is out. */
int cf_add_lines(struct cf *cf, size_t end, const char *lines);

#endif
