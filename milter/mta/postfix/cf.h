/* mta/postfix/cf.h: the text of Postfix's main.cf or master.cf, to which blocks of ours are added between what
 * an administrator wrote, every octet of which stays. postconf(5), master(5). No I/O. */
#ifndef MTA_POSTFIX_CF_H
#define MTA_POSTFIX_CF_H

#include <stddef.h>

/* A logical line: what begins in the first column, with the lines after it that begin with a blank.
 * Comments and empty lines may stand in between, and end nothing. */
struct cf_line {
    char *text;  /* joined, without newlines and comments */
    size_t end;  /* where its last physical line ends, in octets from the beginning */
    char *added; /* what is to follow it; NULL: nothing */
};

struct cf {
    char *text; /* of the whole file */
    struct cf_line *lines;
    size_t count;
    char *tail; /* what is to follow the end of the file; NULL: nothing */
};

/* Reads the text, which it copies. Returns NULL where memory is out. */
struct cf *cf_read(const char *text);

/* NULL is fine. */
void cf_free(struct cf *cf);

/* The line of main.cf that sets the parameter, the last if there are several, as Postfix has it; NULL for none. */
struct cf_line *cf_parameter(struct cf *cf, const char *name);

/* Adds physical lines (each with its newline) that go on with the line, or (line NULL) that stand at
 * the end of the file, as a block of attachment.h. Returns 0, or -1 where memory is out. */
int cf_add(struct cf *cf, struct cf_line *line, const char *lines);

/* The text with all that was added, on the heap; NULL where memory is out. */
char *cf_text(const struct cf *cf);

#endif
