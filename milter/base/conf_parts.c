#include "base/conf_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not what an editor or a package manager has left there. */
static int is_part(const struct dirent *at)
{
    size_t length = strlen(at->d_name);
    return at->d_name[0] != '.' && length > 5 && strcmp(at->d_name + length - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_part(struct conf_list *out, const char *folder, const char *name)
{
    char *path;
    int length = asprintf(&path, "%s/%s", folder, name);
    if (length < 0)
        return -1;
    int rc = conf_list_add(out, path, (size_t)length);
    free(path);
    return rc;
}

static int add_parts(struct conf_list *out, const char *folder, struct error *err)
{
    struct dirent **parts;
    int rc = 0, count = scandir(folder, &parts, is_part, by_name);
    if (count < 0 && errno == ENOENT)
        return 0;
    if (count < 0) {
        error_set(err, error_status(errno) == EX_NOPERM ? EX_NOPERM : EX_CONFIG,
                  "%s: make it a folder that this user may read", strerror(errno));
        return error_at(err, folder, 0);
    }
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = add_part(out, folder, parts[i]->d_name);
        free(parts[i]);
    }
    free(parts);
    return rc == 0 ? 0 : error_set(err, EX_OSERR, "out of memory");
}

int conf_parts(struct conf_list *out, const char *file, struct error *err)
{
    char *folder;
    if (asprintf(&folder, "%s.d", file) < 0)
        return error_set(err, EX_OSERR, "out of memory");
    int rc = add_parts(out, folder, err);
    free(folder);
    return rc;
}
