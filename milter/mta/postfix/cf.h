/* mta/postfix/cf.h: the text of Postfix's main.cf or master.cf, to which our blocks are added without changing
 * a byte of what the administrator wrote. postconf(5), master(5). No I/O. */
#ifndef MTA_POSTFIX_CF_H
#define MTA_POSTFIX_CF_H

#include <stddef.h>

/* A logical line: a line that begins in the first column, and those after it that begin with a blank. Comments
 * and empty lines between them do not end it. */
struct cf_line {
    char *text;  /* joined, without newlines and comments */
    size_t end;  /* offset of the end of its last physical line */
    char *added; /* to be added after it; NULL: nothing */
};

struct cf {
    char *text; /* of the whole file */
    struct cf_line *lines;
    size_t count;
    char *tail; /* to be added at the end of the file; NULL: nothing */
};

/* Copies and parses the text. Returns NULL if memory is out. */
struct cf *cf_read(const char *text);

/* NULL is fine. */
void cf_free(struct cf *cf);

/* The line of main.cf that sets the parameter, the last if there are several, as in Postfix; NULL if there is
 * none. */
struct cf_line *cf_parameter(struct cf *cf, const char *name);

/* Adds physical lines, each with its newline, which continue the line or, if line is NULL, are put at the end
 * of the file, as a block of attachment.h. Returns 0, or -1 if memory is out. */
int cf_add(struct cf *cf, struct cf_line *line, const char *lines);

/* The text with everything that was added, on the heap; NULL if memory is out. */
char *cf_text(const struct cf *cf);

#endif
