#include "format/lines.h"

#include <errno.h>
#include <string.h>

/* Some programs begin UTF-8 with it. */
static const unsigned char bom[] = {0xef, 0xbb, 0xbf};

void lines_begin(struct lines *lines, FILE *in)
{
    lines->in = in;
    lines->number = 0;
    lines->length = 0;
}

int lines_peek(struct lines *lines)
{
    int octet = getc(lines->in);
    return octet == EOF ? EOF : ungetc(octet, lines->in);
}

static void put(struct lines *lines, int octet)
{
    if (lines->length == sizeof lines->text - 1) {
        lines->too_long = true;
        return;
    }
    lines->has_nul = lines->has_nul || octet == '\0';
    lines->text[lines->length++] = (char)octet;
}

enum lines_result lines_join(struct lines *lines, struct error *err)
{
    int octet = getc(lines->in);
    bool any = octet != EOF;
    for (; octet != EOF && octet != '\n'; octet = getc_unlocked(lines->in))
        put(lines, octet);
    lines->text[lines->length] = '\0';
    if (ferror(lines->in)) {
        error_set(err, EX_IOERR, "%s", strerror(errno));
        return LINES_FAILED;
    }
    if (!any)
        return LINES_END;
    if (++lines->number == 1 && strncmp(lines->text, (const char *)bom, sizeof bom) == 0) {
        lines->length -= sizeof bom;
        memmove(lines->text, lines->text + sizeof bom, lines->length + 1);
    }
    return LINES_READ;
}

enum lines_result lines_next(struct lines *lines, struct error *err)
{
    lines->length = 0;
    lines->too_long = lines->has_nul = false;
    lines->first = lines->number + 1;
    return lines_join(lines, err);
}

void lines_cut(struct lines *lines, size_t length)
{
    lines->length = length;
    lines->text[length] = '\0';
}

bool lines_unreadable(const struct lines *lines, struct error *err)
{
    if (lines->too_long)
        error_set(err, EX_DATAERR, "over %d octets: write shorter lines", LINES_MAX - 1);
    else if (lines->has_nul)
        error_set(err, EX_DATAERR, "a NUL octet: write text");
    return lines->too_long || lines->has_nul;
}
