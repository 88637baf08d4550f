#include "base/conf.h"

#include <errno.h>
#include <libconfig.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GROUPS_RIGHT "a list of groups: ( { key = value; … }, … )"

static void *value_at(void *settings, const struct conf_key *key)
{
    return (char *)settings + key->offset;
}

static int no_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

static void list_clear(struct conf_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct conf_list){.items = NULL};
}

static int list_add(struct conf_list *list, const char *item, size_t length)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL)
        return -1;
    list->items = items;
    items[list->count] = strndup(item, length);
    if (items[list->count] == NULL)
        return -1;
    list->count++;
    return 0;
}

static void list_default(struct conf_list *list, const char *text)
{
    *list = (struct conf_list){.items = NULL};
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, " ");
        list_add(list, text, length);
        text += length + strspn(text + length, " ");
    }
}

/* The index of text in choices, or -1. */
static int choice_index(const char *const *choices, const char *text)
{
    for (int i = 0; text != NULL && choices[i] != NULL; i++)
        if (strcmp(choices[i], text) == 0)
            return i;
    return -1;
}

void conf_defaults(void *settings, const struct conf_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct conf_key *key = &keys[i];
        void *value = value_at(settings, key);
        switch (key->type) {
        case CONF_STRING:
        case CONF_LINES: *(char **)value = key->text == NULL ? NULL : strdup(key->text); break;
        case CONF_INT: *(int *)value = key->number; break;
        case CONF_BOOL: *(bool *)value = key->number != 0; break;
        case CONF_CHOICE: *(int *)value = choice_index(key->choices, key->text); break;
        case CONF_LIST: list_default(value, key->text); break;
        case CONF_GROUPS: *(struct conf_groups *)value = (struct conf_groups){.items = NULL}; break;
        case CONF_IGNORED: break;
        }
    }
}

static void groups_clear(struct conf_groups *groups, const struct conf_group *group)
{
    for (size_t i = 0; i < groups->count; i++)
        conf_free((char *)groups->items + i * group->size, group->keys, group->count);
    free(groups->items);
    *groups = (struct conf_groups){.items = NULL};
}

void conf_free(void *settings, const struct conf_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *value = value_at(settings, &keys[i]);
        if (keys[i].type == CONF_STRING || keys[i].type == CONF_LINES) {
            free(*(char **)value);
            *(char **)value = NULL;
        } else if (keys[i].type == CONF_LIST) {
            list_clear(value);
        } else if (keys[i].type == CONF_GROUPS) {
            groups_clear(value, keys[i].group);
        }
    }
}

/* ---- one value: each function below stores it or says what would be right */

static int wrong_type(struct error *err, const char *path, const char *right)
{
    return error_set(err, EX_CONFIG, "%s: wrong type: write %s", path, right);
}

static int store_string(void *value, const struct conf_key *key, const config_setting_t *setting,
                        struct error *err)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING)
        return wrong_type(err, key->path, "a string in \"quotes\"");
    char *copy = strdup(config_setting_get_string(setting));
    if (copy == NULL)
        return no_memory(err);
    free(*(char **)value);
    *(char **)value = copy;
    return 0;
}

static int out_of_range(struct error *err, const struct conf_key *key, long long number)
{
    return error_set(err, EX_CONFIG, "%s: %lld is out of range: write %d to %d%s%s", key->path,
                     number, key->min, key->max, key->unit == NULL ? "" : " ",
                     key->unit == NULL ? "" : key->unit);
}

static int store_int(void *value, const struct conf_key *key, const config_setting_t *setting,
                     struct error *err)
{
    int type = config_setting_type(setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return wrong_type(err, key->path, "a whole number");
    long long number = config_setting_get_int64(setting);
    if (number < key->min || number > key->max)
        return out_of_range(err, key, number);
    *(int *)value = (int)number;
    return 0;
}

static int store_bool(void *value, const struct conf_key *key, const config_setting_t *setting,
                      struct error *err)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        return wrong_type(err, key->path, "true or false");
    *(bool *)value = config_setting_get_bool(setting) != 0;
    return 0;
}

static int store_choice(void *value, const struct conf_key *key, const config_setting_t *setting,
                        struct error *err)
{
    char right[256] = "";
    for (size_t i = 0, used = 0; key->choices[i] != NULL && used < sizeof right; i++)
        used += (size_t)snprintf(right + used, sizeof right - used, "%s\"%s\"", i == 0 ? "" : ", ",
                                 key->choices[i]);

    if (config_setting_type(setting) != CONFIG_TYPE_STRING)
        return wrong_type(err, key->path, right);
    const char *text = config_setting_get_string(setting);
    int index = choice_index(key->choices, text);
    if (index < 0)
        return error_set(err, EX_CONFIG, "%s: no such value '%s': write one of %s", key->path, text,
                         right);
    *(int *)value = index;
    return 0;
}

static int store_list(void *value, const struct conf_key *key, const config_setting_t *setting,
                      struct error *err)
{
    struct conf_list list = {.items = NULL};
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting))
        return wrong_type(err, key->path, "a list of strings: [ \"…\", \"…\" ]");
    for (int i = 0; i < config_setting_length(setting); i++) {
        const char *item = config_setting_get_string_elem(setting, i);
        if (item == NULL || list_add(&list, item, strlen(item)) != 0) {
            list_clear(&list);
            return item == NULL ? wrong_type(err, key->path, "a list of strings: [ \"…\", \"…\" ]")
                                : no_memory(err);
        }
    }
    list_clear(value);
    *(struct conf_list *)value = list;
    return 0;
}

static int append_line(char **text, const char *line)
{
    size_t length = *text == NULL ? 0 : strlen(*text) + 1, line_size = strlen(line) + 1;
    char *longer = realloc(*text, length + line_size);
    if (longer == NULL)
        return -1;
    *text = longer;
    if (length > 0)
        longer[length - 1] = '\n';
    memcpy(longer + length, line, line_size);
    return 0;
}

static int store_lines(char **value, const struct conf_key *key, const config_setting_t *setting,
                       struct error *err)
{
    static const char right[] = "a string, or a list of strings: [ \"…\", \"…\" ]";
    bool is_one = config_setting_type(setting) == CONFIG_TYPE_STRING;
    int count = is_one ? 1 : config_setting_length(setting);
    char *text = NULL;

    if (!is_one && !config_setting_is_array(setting) && !config_setting_is_list(setting))
        return wrong_type(err, key->path, right);
    for (int i = 0; i < count; i++) {
        const char *line = is_one ? config_setting_get_string(setting)
                                  : config_setting_get_string_elem(setting, i);
        bool breaks = line != NULL && strchr(line, '\n') != NULL;
        if (line == NULL || breaks || append_line(&text, line) != 0) {
            free(text);
            return breaks ? error_set(err, EX_CONFIG,
                                      "%s: a line break: write one line, or a list of lines",
                                      key->path)
                          : wrong_type(err, key->path, right);
        }
    }
    if (text == NULL)
        return wrong_type(err, key->path, right);
    free(*value);
    *value = text;
    return 0;
}

static int store(void *settings, const struct conf_key *key, const config_setting_t *setting,
                 struct error *err)
{
    void *value = value_at(settings, key);
    switch (key->type) {
    case CONF_STRING: return store_string(value, key, setting, err);
    case CONF_INT: return store_int(value, key, setting, err);
    case CONF_BOOL: return store_bool(value, key, setting, err);
    case CONF_CHOICE: return store_choice(value, key, setting, err);
    case CONF_LIST: return store_list(value, key, setting, err);
    case CONF_LINES: return store_lines(value, key, setting, err);
    case CONF_GROUPS: return wrong_type(err, key->path, GROUPS_RIGHT);
    case CONF_IGNORED: return 0;
    }
    return -1;
}

/* ---- the file */

struct reading {
    void *settings;
    const struct conf_key *keys;
    size_t count;
    const char *file;
    void (*found)(const struct conf_key *key, unsigned line, void *data);
    void *data;
};

static const struct conf_key *key_find(const struct reading *reading, const char *path)
{
    for (size_t i = 0; i < reading->count; i++)
        if (strcmp(reading->keys[i].path, path) == 0)
            return &reading->keys[i];
    return NULL;
}

/* Whether some key lies in the group called path: "disclosure" of "disclosure.limit". */
static bool group_exists(const struct reading *reading, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < reading->count; i++)
        if (strncmp(reading->keys[i].path, path, length) == 0 &&
            reading->keys[i].path[length] == '.')
            return true;
    return false;
}

static int read_group(const struct reading *reading, const config_setting_t *group,
                      const char *prefix, struct error *err);

static int at_setting(const struct reading *reading, const config_setting_t *setting,
                      struct error *err)
{
    const char *included = config_setting_source_file(setting);
    return error_at(err, included == NULL ? reading->file : included,
                    config_setting_source_line(setting));
}

/* The number that the line gives to name; 0 where it gives none. */
static long long written_number(const char *line, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = line; (at = strstr(at, name)) != NULL; at++) {
        const char *value = at + length + strspn(at + length, " \t");
        if ((at == line || strchr(" \t{;,", at[-1]) != NULL) && (*value == '=' || *value == ':'))
            return strtoll(value + 1, NULL, 0);
    }
    return 0;
}

/* libconfig before 1.7 keeps the low 32 bits of a number that is greater: what was meant as far too
 * much would count as something else, as "no limit" perhaps. So it is read once more, here. */
static int check_written(const struct reading *reading, const struct conf_key *key,
                         const config_setting_t *setting, struct error *err)
{
    const char *included = config_setting_source_file(setting);
    char line[1024] = "";

    FILE *in = fopen(included == NULL ? reading->file : included, "r");
    if (in == NULL)
        return 0;
    for (unsigned left = config_setting_source_line(setting); left > 0; left--)
        if (fgets(line, sizeof line, in) == NULL)
            break;
    fclose(in);
    long long number = written_number(line, config_setting_name(setting));
    return number < INT_MIN || number > INT_MAX ? out_of_range(err, key, number) : 0;
}

/* Each group into an item of its own. */
static int read_groups(const struct reading *reading, const struct conf_key *key,
                       const config_setting_t *setting, struct error *err)
{
    const struct conf_group *group = key->group;
    struct conf_groups *groups = value_at(reading->settings, key);
    int count = config_setting_length(setting);

    groups_clear(groups, group);
    groups->items = calloc((size_t)count + 1, group->size);
    if (groups->items == NULL)
        return no_memory(err);
    for (int i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        void *item = (char *)groups->items + groups->count++ * group->size;
        const struct reading inner = {item, group->keys, group->count, reading->file, NULL, NULL};
        conf_defaults(item, group->keys, group->count);
        if (!config_setting_is_group(element)) {
            wrong_type(err, key->path, GROUPS_RIGHT);
            return at_setting(reading, element, err);
        }
        if (read_group(&inner, element, "", err) != 0)
            return -1;
    }
    return 0;
}

static int read_setting(const struct reading *reading, const config_setting_t *setting,
                        const char *prefix, struct error *err)
{
    char path[128];
    unsigned line = config_setting_source_line(setting);
    snprintf(path, sizeof path, "%s%s%s", prefix, *prefix == '\0' ? "" : ".",
             config_setting_name(setting));

    const struct conf_key *key = key_find(reading, path);
    if (key == NULL) {
        if (!group_exists(reading, path)) {
            error_set(err, EX_CONFIG,
                      "%s: unknown key: see milter-moved.conf(5) for those there are", path);
            return at_setting(reading, setting, err);
        }
        if (!config_setting_is_group(setting)) {
            wrong_type(err, path, "a group: { key = value; … }");
            return at_setting(reading, setting, err);
        }
        return read_group(reading, setting, path, err);
    }

    if (key->type == CONF_GROUPS && config_setting_is_list(setting)) {
        if (read_groups(reading, key, setting, err) != 0)
            return -1;
    } else if (store(reading->settings, key, setting, err) != 0 ||
               (key->type == CONF_INT && check_written(reading, key, setting, err) != 0))
        return at_setting(reading, setting, err);
    if (reading->found != NULL)
        reading->found(key, line, reading->data);
    return 0;
}

static int read_group(const struct reading *reading, const config_setting_t *group,
                      const char *prefix, struct error *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < config_setting_length(group); i++)
        rc = read_setting(reading, config_setting_get_elem(group, (unsigned)i), prefix, err);
    return rc;
}

/* What @include names is sought beside the file, wherever the program was started. */
static void set_include_folder(config_t *config, const char *file)
{
    char *copy = strdup(file);
    if (copy != NULL)
        config_set_include_dir(config, dirname(copy));
    free(copy);
}

int conf_read(void *settings, const struct conf_key *keys, size_t count, const char *file,
              void (*found)(const struct conf_key *key, unsigned line, void *data), void *data,
              struct error *err)
{
    const struct reading reading = {settings, keys, count, file, found, data};
    config_t config;
    struct stat status;

    FILE *in = fopen(file, "r");
    if (in == NULL || fstat(fileno(in), &status) != 0) {
        error_set(err, error_status(errno), "%s: write the path of a configuration file",
                  strerror(errno));
        return error_at(err, file, 0);
    }
    if (S_ISDIR(status.st_mode)) { /* the scanner of libconfig would end the program */
        fclose(in);
        error_set(err, EX_CONFIG, "is a folder: write the path of a configuration file");
        return error_at(err, file, 0);
    }

    config_init(&config);
    set_include_folder(&config, file);
    int rc = -1;
    if (config_read(&config, in) == CONFIG_TRUE) {
        rc = read_group(&reading, config_root_setting(&config), "", err);
    } else {
        const char *included = config_error_file(&config);
        error_set(err, EX_CONFIG, "%s: write key = value;", config_error_text(&config));
        error_at(err, included == NULL ? file : included, (unsigned)config_error_line(&config));
    }
    fclose(in);
    config_destroy(&config);
    return rc;
}
