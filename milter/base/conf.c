#include "base/conf.h"

#include "base/conf_check.h"
#include "base/conf_text.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_RIGHT "a list of groups: ( { key = value; … }, … )"

static void *value_at(void *settings, const struct conf_key *key)
{
    return (char *)settings + key->offset;
}

static int no_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

static void list_default(struct conf_list *list, const char *text)
{
    *list = (struct conf_list){.items = NULL};
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, " ");
        conf_list_add(list, text, length);
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
            conf_list_clear(value);
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

static int store_int(void *value, const struct conf_key *key, const config_setting_t *setting,
                     struct error *err)
{
    char text[24];
    int type = config_setting_type(setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return wrong_type(err, key->path, "a whole number");
    long long number = config_setting_get_int64(setting);
    if (number < key->min || number > key->max) {
        int length = snprintf(text, sizeof text, "%lld", number);
        conf_out_of_range(key, text, length, err);
        return error_at(err, key->path, 0);
    }
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
        if (item == NULL || conf_list_add(&list, item, strlen(item)) != 0) {
            conf_list_clear(&list);
            return item == NULL ? wrong_type(err, key->path, "a list of strings: [ \"…\", \"…\" ]")
                                : no_memory(err);
        }
    }
    conf_list_clear(value);
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
    const struct conf_text *text;
    void (*found)(const struct conf_key *key, const char *file, unsigned line, void *data);
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

static const char *place_of(const struct reading *reading, const config_setting_t *setting)
{
    return conf_text_line(reading->text, config_setting_source_line(setting));
}

static int at_setting(const struct reading *reading, const config_setting_t *setting,
                      struct error *err)
{
    return conf_text_at(reading->text, place_of(reading, setting), err);
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
        const struct reading inner = {item, group->keys, group->count, reading->text, NULL, NULL};
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

static void tell_found(const struct reading *reading, const struct conf_key *key,
                       const config_setting_t *setting)
{
    const char *file;
    unsigned line;
    if (reading->found == NULL)
        return;
    conf_text_locate(reading->text, place_of(reading, setting), &file, &line);
    reading->found(key, file, line, reading->data);
}

static int read_setting(const struct reading *reading, const config_setting_t *setting,
                        const char *prefix, struct error *err)
{
    char path[128];
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
    } else if (store(reading->settings, key, setting, err) != 0) {
        return at_setting(reading, setting, err);
    }
    tell_found(reading, key, setting);
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

/* What conf_check does not find. */
static int refuse_syntax(const struct conf_text *text, const config_t *config, struct error *err)
{
    const char *what = config_error_text(config);
    if (what == NULL || strcmp(what, "syntax error") == 0)
        error_set(err, EX_CONFIG, "syntax error: write key = value; with strings in \"quotes\"");
    else if (strstr(what, "array") != NULL)
        error_set(err, EX_CONFIG, "%s: write values of one type in [ ], or ( ) around them", what);
    else
        error_set(err, EX_CONFIG, "%s: see the manual of libconfig", what);
    return conf_text_at(text, conf_text_line(text, (unsigned)config_error_line(config)), err);
}

static int read_text(const struct reading *reading, struct error *err)
{
    config_t config;
    config_init(&config);
    int rc = config_read_string(&config, reading->text->text) == CONFIG_TRUE
                 ? read_group(reading, config_root_setting(&config), "", err)
                 : refuse_syntax(reading->text, &config, err);
    config_destroy(&config);
    return rc;
}

int conf_read(void *settings, const struct conf_key *keys, size_t count, const char *file,
              struct conf_list *files,
              void (*found)(const struct conf_key *key, const char *file, unsigned line,
                            void *data),
              void *data, struct error *err)
{
    struct conf_text text;
    const struct reading reading = {settings, keys, count, &text, found, data};
    if (conf_text_read(&text, files, file, err) != 0)
        return -1;
    int rc = conf_check(&text, keys, count, err);
    if (rc == 0)
        rc = read_text(&reading, err);
    conf_text_free(&text);
    return rc;
}
