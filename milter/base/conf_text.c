#include "base/conf_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX  10        /* files within files, as libconfig */
#define OCTETS_MAX (4 << 20) /* octets: a configuration has some thousand */

struct conf_origin {
    size_t offset; /* in the text */
    const char *file;
    unsigned line;
};

/* What is being put together. */
struct assembly {
    struct conf_text *out;
    struct conf_list *files;
    const char *main_file;
    unsigned depth;
    struct error *err;
};

static int no_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

/* ---- the text that comes out */

static int append(struct conf_text *out, const char *text, size_t length)
{
    char *longer = realloc(out->text, out->length + length + 1);
    if (longer == NULL)
        return -1;
    out->text = longer;
    memcpy(longer + out->length, text, length);
    out->length += length;
    longer[out->length] = '\0';
    return 0;
}

/* What is appended from now on comes from this line. */
static int set_origin(struct conf_text *out, const char *file, unsigned line)
{
    struct conf_origin *more =
        realloc(out->origins, (out->origin_count + 1) * sizeof *out->origins);
    if (more == NULL)
        return -1;
    out->origins = more;
    more[out->origin_count++] = (struct conf_origin){out->length, file, line};
    return 0;
}

void conf_text_free(struct conf_text *text)
{
    free(text->text);
    free(text->origins);
    *text = (struct conf_text){.text = NULL};
}

static unsigned count_lines(const char *from, const char *to)
{
    unsigned count = 0;
    for (; from < to; from++)
        if (*from == '\n')
            count++;
    return count;
}

void conf_text_locate(const struct conf_text *text, const char *at, const char **file,
                      unsigned *line)
{
    size_t offset = (size_t)(at - text->text), i = text->origin_count - 1;
    while (i > 0 && text->origins[i].offset > offset)
        i--;
    const struct conf_origin *origin = &text->origins[i];
    *file = origin->file;
    *line = origin->line + count_lines(text->text + origin->offset, at);
}

const char *conf_text_line(const struct conf_text *text, unsigned line)
{
    const char *at = text->text;
    for (const char *end; line > 1 && (end = strchr(at, '\n')) != NULL && end[1] != '\0'; line--)
        at = end + 1;
    return at;
}

int conf_text_at(const struct conf_text *text, const char *at, struct error *err)
{
    const char *file;
    unsigned line;
    conf_text_locate(text, at, &file, &line);
    return error_at(err, file, line);
}

const char *conf_text_skip(const char *at)
{
    if (*at == '#' || (at[0] == '/' && at[1] == '/'))
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end == NULL ? NULL : end + 2;
    }
    if (*at != '"')
        return at;
    for (at++; *at != '"'; at++) {
        if (*at == '\0' || *at == '\n')
            return NULL;
        if (at[0] == '\\' && (at[1] == '"' || at[1] == '\\'))
            at++;
    }
    return at + 1;
}

/* ---- one file */

/* Reads all of an open file. Returns NULL with err. */
static char *slurp(FILE *in, size_t *length, struct error *err)
{
    char *text = malloc(OCTETS_MAX + 1);
    if (text == NULL) {
        no_memory(err);
        return NULL;
    }
    *length = fread(text, 1, OCTETS_MAX, in);
    text[*length] = '\0';
    if (!ferror(in) && *length < OCTETS_MAX)
        return text;
    if (ferror(in))
        error_set(err, EX_IOERR, "%s", strerror(errno));
    else
        error_set(err, EX_CONFIG, "4 MiB or more: write the path of a configuration file");
    free(text);
    return NULL;
}

static int cannot_open(int reason, struct error *err)
{
    return error_set(err, error_status(reason), "%s: %s", strerror(reason),
                     error_status(reason) == EX_NOPERM ? "let this user read it"
                                                       : "write the path of a configuration file");
}

static char *read_octets(const char *file, size_t *length, struct error *err)
{
    struct stat status;
    char *text = NULL;
    FILE *in = fopen(file, "r");
    if (in == NULL || fstat(fileno(in), &status) != 0)
        cannot_open(errno, err);
    else if (S_ISDIR(status.st_mode))
        error_set(err, EX_CONFIG, "is a folder: write the path of a configuration file");
    else
        text = slurp(in, length, err);
    if (in != NULL)
        fclose(in);
    return text;
}

static bool is_utf16(const char *text)
{
    return memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0;
}

/* Where the file's own text begins: behind a byte order mark. NULL with err where it is no text. */
static const char *find_text(const char *octets, size_t length, const char *file, struct error *err)
{
    const char *nul = memchr(octets, '\0', length);
    if (length >= 2 && is_utf16(octets)) {
        error_set(err, EX_CONFIG, "is UTF-16: write it as UTF-8");
        error_at(err, file, 1);
        return NULL;
    }
    if (nul != NULL) {
        error_set(err, EX_CONFIG, "a NUL byte: write a text file");
        error_at(err, file, 1 + count_lines(octets, nul));
        return NULL;
    }
    return strncmp(octets, "\xef\xbb\xbf", 3) == 0 ? octets + 3 : octets;
}

/* ---- @include */

/* The quote of the path, where an @include begins at the line; else NULL. */
static const char *include_path(const char *line)
{
    const char *at = line + strspn(line, " \t");
    if (strncmp(at, "@include", 8) != 0)
        return NULL;
    const char *quote = at + 8 + strspn(at + 8, " \t");
    return quote > at + 8 && *quote == '"' ? quote : NULL;
}

/* The path between the quotes, seen from the main file's folder. */
static char *resolve(const char *main_file, const char *quote, const char *end)
{
    const char *slash = strrchr(main_file, '/');
    size_t folder = slash == NULL || quote[1] == '/' ? 0 : (size_t)(slash + 1 - main_file);
    char *path = malloc(folder + (size_t)(end - quote) + 1), *to = path;
    if (path == NULL)
        return NULL;
    memcpy(path, main_file, folder);
    to += folder;
    for (const char *at = quote + 1; at < end - 1; at++) {
        if (at[0] == '\\' && (at[1] == '\\' || at[1] == '"'))
            at++;
        *to++ = *at;
    }
    *to = '\0';
    return path;
}

/* ---- a file, line by line */

static int add_file(struct assembly *assembly, const char *path);

struct conf_cursor {
    const char *file, *text; /* of the file */
    const char *at, *copied; /* everything before copied is in the assembly */
};

static int fail_at(const struct conf_cursor *cursor, struct error *err)
{
    return error_at(err, cursor->file, 1 + count_lines(cursor->text, cursor->at));
}

static int copy(struct assembly *assembly, struct conf_cursor *cursor)
{
    if (append(assembly->out, cursor->copied, (size_t)(cursor->at - cursor->copied)) != 0)
        return no_memory(assembly->err);
    cursor->copied = cursor->at;
    if (assembly->out->length > OCTETS_MAX)
        return error_set(assembly->err, EX_CONFIG, "over 4 MiB with its includes: write less");
    return 0;
}

static int fail_include(const struct conf_cursor *cursor, struct error *err)
{
    err->status = err->status == EX_NOPERM || err->status == EX_OSERR ? err->status : EX_CONFIG;
    error_at(err, "@include", 0);
    return fail_at(cursor, err);
}

static int add_include(struct assembly *assembly, const struct conf_cursor *cursor,
                       const char *quote, const char *end)
{
    size_t files = assembly->files->count;
    char *path = resolve(assembly->main_file, quote, end);
    int rc = path == NULL ? no_memory(assembly->err) : add_file(assembly, path);
    free(path);
    if (rc == 0 || assembly->files->count > files) /* then what is wrong stands in that file */
        return rc;
    return fail_include(cursor, assembly->err);
}

static int include(struct assembly *assembly, struct conf_cursor *cursor, const char *quote)
{
    const char *end = conf_text_skip(quote);
    if (end == NULL) {
        error_set(assembly->err, EX_CONFIG, "the path has no end: write \" behind it");
        return fail_include(cursor, assembly->err);
    }
    if (assembly->depth == DEPTH_MAX) {
        error_set(assembly->err, EX_CONFIG,
                  "deeper than %d files: write a file that does not include itself", DEPTH_MAX);
        return fail_include(cursor, assembly->err);
    }
    if (copy(assembly, cursor) != 0 || add_include(assembly, cursor, quote, end) != 0)
        return -1;
    cursor->at = cursor->copied = end;
    if (set_origin(assembly->out, cursor->file, 1 + count_lines(cursor->text, end)) != 0)
        return no_memory(assembly->err);
    return 0;
}

static int refuse_open(const struct conf_cursor *cursor, struct error *err)
{
    if (*cursor->at == '"')
        error_set(err, EX_CONFIG,
                  "the string that begins in this line has no end: write \" at its end");
    else
        error_set(err, EX_CONFIG,
                  "the comment that begins in this line has no end: write */ at its end");
    return fail_at(cursor, err);
}

static int add_lines(struct assembly *assembly, struct conf_cursor *cursor)
{
    bool line_begins = true;
    while (*cursor->at != '\0') {
        const char *quote = line_begins ? include_path(cursor->at) : NULL;
        line_begins = *cursor->at == '\n';
        if (quote != NULL) {
            if (include(assembly, cursor, quote) != 0)
                return -1;
            continue;
        }
        if (*cursor->at == '@') {
            error_set(assembly->err, EX_CONFIG,
                      "'@' that begins no include: write @include \"FILE\" on a line of its own");
            return fail_at(cursor, assembly->err);
        }
        const char *end = conf_text_skip(cursor->at);
        if (end == NULL)
            return refuse_open(cursor, assembly->err);
        cursor->at = end == cursor->at ? end + 1 : end;
    }
    return copy(assembly, cursor);
}

static int add_text(struct assembly *assembly, const char *file, const char *text)
{
    struct conf_text *out = assembly->out;
    struct conf_cursor cursor = {.file = file, .text = text, .at = text, .copied = text};
    if (set_origin(out, file, 1) != 0)
        return no_memory(assembly->err);
    if (add_lines(assembly, &cursor) != 0)
        return -1;
    bool ends = out->length > 0 && out->text[out->length - 1] == '\n';
    return ends || append(out, "\n", 1) == 0 ? 0 : no_memory(assembly->err);
}

static int add_file(struct assembly *assembly, const char *path)
{
    size_t length;
    struct error *err = assembly->err;
    char *octets = read_octets(path, &length, err);
    if (octets == NULL)
        return error_at(err, path, 0);
    int rc = -1;
    if (conf_list_add(assembly->files, path, strlen(path)) != 0) {
        no_memory(err);
    } else {
        const char *file = assembly->files->items[assembly->files->count - 1];
        const char *text = find_text(octets, length, file, err);
        assembly->depth++;
        rc = text == NULL ? -1 : add_text(assembly, file, text);
        assembly->depth--;
    }
    free(octets);
    return rc;
}

int conf_text_read(struct conf_text *out, struct conf_list *files, const char *file,
                   struct error *err)
{
    struct error unused;
    struct assembly assembly = {out, files, file, 0, err == NULL ? &unused : err};
    *out = (struct conf_text){.text = NULL};
    if (add_file(&assembly, file) == 0)
        return 0;
    conf_text_free(out);
    return -1;
}
