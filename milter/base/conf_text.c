/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/conf_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILES_MAX  10        /* nested includes, as in libconfig */
#define SCOPES_MAX 32        /* nested groups and lists; our deepest key has three */
#define OCTETS_MAX (4 << 20) /* octets; a configuration has a few thousand */

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*"
#define DIGITS  "0123456789"

/* Where the lines of the text from first on come from, up to the first line of the next origin. */
struct conf_origin {
    unsigned first;
    struct conf_spot spot; /* of the line first */
};

/* A file being read. */
struct source {
    const char *text, *at;
    struct conf_spot spot; /* of at */
    unsigned depth;        /* 1 for the main file, 2 for a file that it includes */
};

/* An open group, list or array. */
struct scope {
    char opener, closer; /* its brackets; opener is NUL for the whole file */
    struct conf_spot spot;
    size_t first_key; /* in set_keys */
};

/* A key of an open group. */
struct set_key {
    const char *name; /* in the output, length octets */
    size_t length;
    struct conf_spot spot;
};

/* The text being assembled. */
struct assembly {
    struct conf_text *out;
    const char *main_file;
    struct conf_list *files;
    struct scope scopes[SCOPES_MAX];
    size_t depth; /* scopes[depth] is the innermost */
    struct set_key *set_keys;
    size_t set_count;
    struct error *err;
};

/* Sets an error of the configuration at this spot. Always -1. */
#define refuse(assembly, spot, ...)                                                                \
    (error_set((assembly)->err, EX_CONFIG, __VA_ARGS__),                                           \
     error_at((assembly)->err, (spot).file, (spot).line))

/* ---- the text that comes out */

static int set_origin(struct assembly *assembly, struct conf_spot spot)
{
    struct conf_text *out = assembly->out;
    struct conf_origin *more =
        realloc(out->origins, (out->origin_count + 1) * sizeof *out->origins);
    if (more == NULL)
        return error_no_memory(assembly->err);
    out->origins = more;
    more[out->origin_count++] = (struct conf_origin){out->lines + 1, spot};
    return 0;
}

struct conf_spot conf_text_spot(const struct conf_text *text, unsigned line)
{
    const struct conf_origin *origin = &text->origins[text->origin_count - 1];
    if (line > text->lines) /* libconfig counts the end of the text as a line */
        line = text->lines;
    while (origin > text->origins && origin->first > line)
        origin--;
    return (struct conf_spot){origin->spot.file, origin->spot.line + line - origin->first};
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
        count += *from == '\n';
    return count;
}

/* Copies the source up to end. */
static int take(struct assembly *assembly, struct source *in, const char *end)
{
    struct conf_text *out = assembly->out;
    size_t length = (size_t)(end - in->at);
    unsigned lines = count_lines(in->at, end);
    if (length > OCTETS_MAX - out->length)
        return refuse(assembly, in->spot, "over 4 MiB with its includes: write less");
    memcpy(out->text + out->length, in->at, length);
    out->length += length;
    out->text[out->length] = '\0';
    out->lines += lines;
    in->spot.line += lines;
    in->at = end;
    return 0;
}

/* ---- strings, comments and blanks */

/* The position just past the comment or string that begins at at; at itself if none begins there; NULL if it is not
 * terminated. A string must end on the line where it begins. */
static const char *skip_token(const char *at)
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

/* Skips white space and comments. */
static const char *skip_blanks(const char *at)
{
    for (;;) {
        const char *next = at + strspn(at, " \t\r\n\f");
        const char *end = *next == '"' ? next : skip_token(next);
        if (end == NULL || end == at)
            return next;
        at = end;
    }
}

/* ---- keys */

/* Records the key of length octets at the position of the source. */
static int note_key(struct assembly *assembly, const struct source *in, size_t length)
{
    const struct scope *scope = &assembly->scopes[assembly->depth];
    for (size_t i = scope->first_key; i < assembly->set_count; i++) {
        const struct set_key *first = &assembly->set_keys[i];
        if (first->length != length || memcmp(first->name, in->at, length) != 0)
            continue;
        bool is_here = strcmp(first->spot.file, in->spot.file) == 0;
        return refuse(assembly, in->spot, "%.*s: is set in %s%s%u already: write it once",
                      (int)length, in->at, is_here ? "line" : first->spot.file, is_here ? " " : ":",
                      first->spot.line);
    }
    struct set_key *more =
        realloc(assembly->set_keys, (assembly->set_count + 1) * sizeof *assembly->set_keys);
    if (more == NULL)
        return error_no_memory(assembly->err);
    assembly->set_keys = more;
    more[assembly->set_count++] =
        (struct set_key){assembly->out->text + assembly->out->length, length, in->spot};
    return 0;
}

/* Adds an L to an integer, so that libconfig reads 64 bits. A number with a fraction or an exponent is none. */
static int read_number(struct assembly *assembly, struct source *in)
{
    bool is_hex = in->at[0] == '0' && (in->at[1] == 'x' || in->at[1] == 'X');
    struct source suffix = {.at = "L"};
    char *end, *whole;
    (void)strtoll(in->at, &whole, is_hex ? 16 : 10);
    end = whole;
    if (!is_hex)
        (void)strtod(in->at, &end);
    bool is_integer = end == whole && whole > in->at && *whole != 'L';
    if (take(assembly, in, end == in->at ? end + 1 : end) != 0)
        return -1;
    return is_integer ? take(assembly, &suffix, suffix.at + 1) : 0;
}

/* ---- brackets */

static int open_scope(struct assembly *assembly, const struct source *in)
{
    if (assembly->depth + 1 == SCOPES_MAX)
        return refuse(assembly, in->spot,
                      "groups and lists within each other are too deep: write %d at most",
                      SCOPES_MAX - 1);
    assembly->scopes[++assembly->depth] =
        (struct scope){*in->at, strchr("{}()[]", *in->at)[1], in->spot, assembly->set_count};
    return 0;
}

static int close_scope(struct assembly *assembly, const struct source *in)
{
    const struct scope *scope = &assembly->scopes[assembly->depth];
    if (scope->opener == '\0')
        return refuse(assembly, in->spot, "'%c' closes nothing: write none here", *in->at);
    if (*in->at != scope->closer)
        return refuse(assembly, in->spot,
                      "'%c' cannot close the '%c' of line %u: write %c before it", *in->at,
                      scope->opener, scope->spot.line, scope->closer);
    assembly->set_count = scope->first_key;
    assembly->depth--;
    return 0;
}

/* ---- @include */

static int add_file(struct assembly *assembly, const char *path, unsigned depth);

/* The quote before the path, if the source is at an @include at the beginning of a line; otherwise NULL. */
static const char *include_path(const struct source *in)
{
    const char *line = in->at, *word_end = in->at + strlen("@include");
    while (line > in->text && strchr(" \t", line[-1]) != NULL)
        line--;
    if ((line > in->text && line[-1] != '\n') || strncmp(in->at, "@include", 8) != 0)
        return NULL;
    const char *quote = word_end + strspn(word_end, " \t");
    return quote > word_end && *quote == '"' ? quote : NULL;
}

/* The path between the quotes, relative to the folder of the main file; on the heap. */
static char *resolve(const char *main_file, const char *quote, const char *end)
{
    const char *slash = quote[1] == '/' ? NULL : strrchr(main_file, '/');
    char *path;
    int folder = slash == NULL ? 0 : (int)(slash + 1 - main_file);
    return asprintf(&path, "%.*s%.*s", folder, main_file, (int)(end - quote - 2), quote + 1) < 0
               ? NULL
               : path;
}

static int include(struct assembly *assembly, struct source *in)
{
    struct error *err = assembly->err;
    const char *quote = include_path(in), *end = quote == NULL ? NULL : skip_token(quote);
    if (quote == NULL)
        return refuse(assembly, in->spot,
                      "'@' that begins no include: write @include \"FILE\" on a line of its own");
    if (end == NULL)
        return refuse(assembly, in->spot, "@include: the path has no end: write \" after it");
    if (in->depth == FILES_MAX)
        return refuse(assembly, in->spot,
                      "@include: deeper than %d files: write a file that does not include itself",
                      FILES_MAX);
    size_t files = assembly->files->count;
    char *path = resolve(assembly->main_file, quote, end);
    int rc = path == NULL ? error_no_memory(err) : add_file(assembly, path, in->depth + 1);
    free(path);
    in->at = end;
    if (rc == 0)
        return set_origin(assembly, in->spot);
    if (assembly->files->count > files) /* the error is in that file */
        return -1;
    if (err->status == EX_NOINPUT)
        err->status = EX_CONFIG;
    error_at(err, "@include", 0);
    return error_at(err, in->spot.file, in->spot.line);
}

/* ---- a file */

/* A FIFO or a terminal could keep its reader waiting. /dev/null is an empty file. */
static bool can_be_read_at_once(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 &&
           (S_ISREG(status.st_mode) ||
            (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3))); /* null(4) */
}

/* Reads all of a file, on the heap; or returns NULL with err. */
static char *read_octets(const char *file, size_t *length, struct error *err)
{
    char *text = malloc(OCTETS_MAX + 1);
    int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO without a writer too */
    bool is_file = fd < 0 ? errno != ENXIO /* a socket */ : can_be_read_at_once(fd);
    ssize_t got = fd < 0 ? -1 : 1;
    *length = 0;
    while (text != NULL && is_file && got > 0) {
        got = read(fd, text + *length, OCTETS_MAX - *length);
        *length += got > 0 ? (size_t)got : 0;
    }
    int reason = got < 0 ? errno : 0, status = error_status(reason);
    if (fd >= 0)
        close(fd);
    if (text == NULL)
        error_no_memory(err);
    else if (!is_file)
        error_set(err, EX_CONFIG, "not a regular file: write the path of a configuration file");
    else if (reason != 0)
        error_set(err, status, "%s: %s", strerror(reason),
                  status == EX_NOPERM ? "let this user read it"
                                      : "write the path of a configuration file");
    else if (*length == OCTETS_MAX)
        error_set(err, EX_CONFIG, "4 MiB or more: write the path of a configuration file");
    else {
        text[*length] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

static int read_token(struct assembly *assembly, struct source *in)
{
    const char *at = in->at, *end = skip_token(at);
    size_t length = strspn(at, LETTERS) == 0 ? 0 : strspn(at, LETTERS DIGITS "-_");
    if (length > 0) {
        /* A word is a key if a value follows. Otherwise it is true, false, or an error that libconfig finds. */
        const char *next = skip_blanks(at + length);
        bool is_key =
            assembly->scopes[assembly->depth].closer == '}' && (*next == '=' || *next == ':');
        return is_key && note_key(assembly, in, length) != 0 ? -1 : take(assembly, in, at + length);
    }
    if (strchr(DIGITS "+-.", *at) != NULL)
        return read_number(assembly, in);
    if (*at == '@')
        return include(assembly, in);
    if (end == NULL)
        return refuse(assembly, in->spot,
                      "the %s that begins in this line has no end: write %s at its end",
                      *at == '"' ? "string" : "comment", *at == '"' ? "\"" : "*/");
    if (strchr("{([", *at) != NULL && open_scope(assembly, in) != 0)
        return -1;
    if (strchr("})]", *at) != NULL && close_scope(assembly, in) != 0)
        return -1;
    return take(assembly, in, end == at ? end + 1 : end);
}

static int add_text(struct assembly *assembly, struct source *in, size_t length)
{
    const char *nul = memchr(in->at, '\0', length);
    if (length >= 2 && (memcmp(in->at, "\xff\xfe", 2) == 0 || memcmp(in->at, "\xfe\xff", 2) == 0))
        return refuse(assembly, in->spot, "is UTF-16: write it as UTF-8");
    if (nul != NULL) {
        in->spot.line += count_lines(in->at, nul);
        return refuse(assembly, in->spot, "a NUL byte: write a text file");
    }
    if (strncmp(in->at, "\xef\xbb\xbf", 3) == 0)
        in->text = in->at += 3;
    int rc = set_origin(assembly, in->spot);
    while (rc == 0 && *in->at != '\0')
        rc = read_token(assembly, in);
    if (rc == 0 && (in->at == in->text || in->at[-1] != '\n')) {
        in->at = "\n";
        rc = take(assembly, in, in->at + 1);
    }
    return rc;
}

static int add_file(struct assembly *assembly, const char *path, unsigned depth)
{
    size_t length;
    struct conf_list *files = assembly->files;
    char *octets = read_octets(path, &length, assembly->err);
    if (octets == NULL)
        return error_at(assembly->err, path, 0);
    int rc = conf_list_add(files, path, strlen(path)) == 0 ? 0 : error_no_memory(assembly->err);
    if (rc == 0) {
        struct source in = {octets, octets, {files->items[files->count - 1], 1}, depth};
        rc = add_text(assembly, &in, length);
    }
    free(octets);
    return rc;
}

int conf_text_read(struct conf_text *out, const char *file, struct conf_list *files,
                   struct error *err)
{
    struct assembly assembly = {
        .out = out, .main_file = file, .files = files, .scopes = {{.closer = '}'}}, .err = err};
    *out = (struct conf_text){.text = malloc(OCTETS_MAX + 1)};
    int rc = out->text == NULL ? error_no_memory(err) : add_file(&assembly, file, 1);
    const struct scope *scope = &assembly.scopes[assembly.depth];
    if (rc == 0 && assembly.depth > 0)
        rc = refuse(&assembly, scope->spot,
                    "the '%c' here is never closed: write %c; after its last line", scope->opener,
                    scope->closer);
    free(assembly.set_keys);
    if (rc != 0)
        conf_text_free(out);
    return rc;
}
